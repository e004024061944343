"""Statements that the server has planned, their values in its binary form, and a connection that runs them.

Rule: between us and libpq there is nothing that a commit does not need. psycopg's cursors look at every value to find its type, and wait
with a reader that is registered anew each time; a commit of one step took 130 µs of the processor for that, and takes 45 µs so.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, repeat
from struct import Struct, pack
from typing import Final, NamedTuple, TypeAlias, cast

import psycopg
from psycopg import AsyncConnection, errors
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult
from psycopg.rows import AsyncRowFactory, TupleRow, tuple_row

Row: TypeAlias = tuple[bytes | None, ...]
"""Columns in the server's binary form."""
Encode: TypeAlias = Callable[[object], bytes]

_PARAMETER: Final = re.compile(r"%\((\w+)\)b::(\w+(?:\[\])?)")
_HEADER: Final = Struct("!iiiii")  # of an array: dimensions, whether it holds NULLs, the type of its elements; its length, its first index
_EMPTY: Final = Struct("!iii")
_INTEGER: Final = Struct("!q")
_OIDS: Final = {"text": 25, "bytea": 17, "bigint": 20, "boolean": 16}


def _sequence(value: object) -> Sequence[object]:
    assert isinstance(value, Sequence)
    return cast("Sequence[object]", value)


def _array_of(kind: str, elements: Callable[[Sequence[object]], bytes]) -> Encode:
    """elements: of an array that has some, each behind its length."""
    oid = _OIDS[kind]

    def array(value: object) -> bytes:
        values = _sequence(value)
        return _HEADER.pack(1, 0, oid, len(values), 1) + elements(values) if values else _EMPTY.pack(0, 0, oid)

    return array


def _one_by_one(encode: Encode) -> Callable[[Sequence[object]], bytes]:
    def elements(values: Sequence[object]) -> bytes:
        encoded = map(encode, values)
        return b"".join([part for element in encoded for part in (len(element).to_bytes(4, "big"), element)])

    return elements


def _integers(values: Sequence[object]) -> bytes:
    return pack("!" + "iq" * len(values), *chain.from_iterable(zip(repeat(8), values)))


_ONE: Final = cast(  # methods of C's, which refuse what is not of their kind
    "Mapping[str, Encode]",
    {
        "text": str.encode,
        "bytea": bytes.__bytes__,
        "bigint": _INTEGER.pack,
        "boolean": {False: b"\0", True: b"\1"}.__getitem__,
    },
)
_ENCODE: Final[Mapping[str, Encode]] = {
    **_ONE,
    **{f"{kind}[]": _array_of(kind, _integers if kind == "bigint" else _one_by_one(encode)) for kind, encode in _ONE.items()},
}


class Template:
    """A statement's text, in which values are called `%(name)b::type`: text, bytea, bigint, boolean, or an array of one of them.

    names: all those that there are, perhaps more, in the order in which values are given.
    """

    def __init__(self, text: str, names: Iterable[str] = ()) -> None:
        places = {name: place for place, name in enumerate(names)}
        kinds: dict[str, str] = {}

        def numbered(found: re.Match[str]) -> str:
            name, kind = found.groups()
            assert kinds.setdefault(name, kind) == kind
            return f"${list(kinds).index(name) + 1}::{kind}"

        self.text = _PARAMETER.sub(numbered, text).encode()
        self._encoders = [(places[name], _ENCODE[kind]) for name, kind in kinds.items()]

    def of(self, values: Sequence[object]) -> Statement:
        """Raises UnicodeEncodeError for text that is no Unicode."""
        return Statement(self.text, [encode(values[place]) for place, encode in self._encoders])


class Statement(NamedTuple):
    text: bytes
    values: Sequence[bytes]


class PreparedConnection(AsyncConnection[TupleRow]):
    """A connection for prepared statements. Once `run` has been called, nothing else may be, except `drop`."""

    def __init__(self, pgconn: PGconn, row_factory: AsyncRowFactory[TupleRow] = tuple_row) -> None:
        super().__init__(pgconn, row_factory)
        self._names: dict[bytes, bytes] = {}
        self._listening: tuple[asyncio.AbstractEventLoop, int] | None = None
        """The loop that watches the socket, and its descriptor."""
        self._arrival: asyncio.Future[None] | None = None
        self._failure: psycopg.Error | None = None

    async def run(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """The rows of each, in one transaction. Raises psycopg's errors. Cancelled, it leaves the connection in the middle of something."""
        self._listen()
        for statement in statements:
            if statement.text not in self._names:
                await self._prepare(statement.text)
        if len(statements) == 1:
            self._send(statements[0])
            return [_rows(await self._answer())]
        self.pgconn.enter_pipeline_mode()
        for statement in statements:
            self._send(statement)
        self.pgconn.pipeline_sync()
        answers = [await self._answer() for _ in statements]
        await self._answer()  # of the sync: only now it is durable
        self.pgconn.exit_pipeline_mode()
        return [_rows(answer) for answer in answers]

    def is_alive(self) -> bool:
        """Whether the server has not closed the connection, as far as has been heard. It is not asked: that would take a round trip."""
        if self._listening is None and self._failure is None:
            try:
                for _ in range(2):  # its farewell, then the end
                    self.pgconn.consume_input()
            except psycopg.OperationalError:
                return False
        return self._failure is None and not self.closed

    def drop(self) -> None:
        """Close it, whatever goes on."""
        self._listen_no_more()
        self._arrived(psycopg.OperationalError("the connection was closed meanwhile"))
        self.pgconn.finish()

    async def _prepare(self, text: bytes) -> None:
        name = b"s%d" % len(self._names)
        self.pgconn.send_prepare(name, text)
        _rows(await self._answer())
        self._names[text] = name

    def _send(self, statement: Statement) -> None:
        values = statement.values
        self.pgconn.send_query_prepared(self._names[statement.text], values, [Format.BINARY] * len(values), Format.BINARY)

    async def _answer(self) -> PGresult:
        """The one result of a statement, or of a pipeline's end."""
        while self.pgconn.flush():
            await self._arrives(to_send=True)
        answer: PGresult | None = None
        while True:
            while self.pgconn.is_busy():
                await self._arrives()
            result = self.pgconn.get_result()
            if result is None:
                if answer is None:
                    raise self._failure or psycopg.OperationalError("the connection is closed")
                return answer
            answer = answer or result
            if result.status == ExecStatus.PIPELINE_SYNC:
                return result

    # -- what the socket says

    def _listen(self) -> None:
        if self._listening is None:
            loop, descriptor = self._listening = asyncio.get_running_loop(), self.pgconn.socket
            loop.add_reader(descriptor, self._read)

    def _listen_no_more(self) -> None:
        if self._listening is not None:
            loop, descriptor = self._listening
            loop.remove_reader(descriptor)
            self._listening = None

    def _read(self) -> None:
        try:
            self.pgconn.consume_input()
        except psycopg.Error as error:
            self._listen_no_more()
            self._arrived(error)
        else:
            self._arrived()

    def _arrived(self, error: psycopg.Error | None = None) -> None:
        self._failure = self._failure or error
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    async def _arrives(self, *, to_send: bool = False) -> None:
        """Return when something has come, or can be sent. Raises OperationalError when nothing will any more."""
        if self._failure is None:
            loop = asyncio.get_running_loop()
            self._arrival = loop.create_future()
            descriptor = self.pgconn.socket
            if to_send:
                loop.add_writer(descriptor, self._arrived)
            try:
                await self._arrival
            finally:
                self._arrival = None
                if to_send and self.pgconn.status == ConnStatus.OK:
                    loop.remove_writer(descriptor)
        if self._failure is not None and self.pgconn.is_busy():
            raise self._failure


def _rows(answer: PGresult) -> list[Row]:
    if answer.status in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
        columns = range(answer.nfields)
        return [tuple([answer.get_value(row, column) for column in columns]) for row in range(answer.ntuples)]
    if answer.error_field(DiagnosticField.SQLSTATE) is None:  # libpq says it by itself: the server is gone
        raise psycopg.OperationalError(answer.get_error_message())
    raise errors.error_from_result(answer)
