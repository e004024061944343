"""The JSON objects that stages write: `{"everstep":"<stage>","v":1,…}`.

Rule: an envelope is known by how its text starts, to the byte, for only this module writes them. A value of the user that
starts the same way is written inside an envelope of its own ("text"), so it is never taken for a stage's.
"""

from __future__ import annotations

from typing import Final, Generic, Literal, TypeVar

import msgspec

from everstep.errors import SerializationError

_START: Final = '{"everstep":"'


class Envelope(msgspec.Struct, frozen=True, kw_only=True, tag_field="everstep"):
    """Base of them all. v: of this stage's form."""

    v: Literal[1] = 1


E = TypeVar("E", bound=Envelope)


class Form(Generic[E]):
    """Writes and reads the envelopes of one kind."""

    def __init__(self, kind: type[E]) -> None:
        self.marker = str(kind.__struct_config__.tag)
        self._start = f'{_START}{self.marker}",'
        self._decode = msgspec.json.Decoder(kind).decode

    def wrote(self, text: str) -> bool:
        return text.startswith(self._start)

    def write(self, envelope: E) -> str:
        return msgspec.json.encode(envelope).decode()

    def read(self, text: str) -> E:
        """Raises SerializationError."""
        try:
            return self._decode(text)
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
            raise SerializationError(
                f'recorded text of the stage "{self.marker}" can\'t be read: {error}. It was damaged, or written by a newer Everstep.'
            ) from error


class _Escaped(Envelope, frozen=True, kw_only=True, tag="text"):
    """data: a text of the user's that looks like something else."""

    data: str


_escaped: Final = Form(_Escaped)


def is_envelope(text: str) -> bool:
    """Whether a stage wrote the text. What `escaped` wrote counts too."""
    return text.startswith(_START)


def marker_of(envelope: str) -> str:
    """The stage that an envelope names."""
    return envelope[len(_START) :].partition('"')[0]


def escaped(text: str) -> str:
    """The text in an envelope that no stage takes for its own."""
    utf8(text)
    return _escaped.write(_Escaped(data=text))


def is_escaped(text: str) -> bool:
    return _escaped.wrote(text)


def unescaped(text: str) -> str:
    """What `escaped` was given. Raises SerializationError."""
    return _escaped.read(text).data


def utf8(text: str) -> bytes:
    """Raises SerializationError for a text that has no UTF-8 form: half of a surrogate pair, which no service records."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise SerializationError(f"a text can't be recorded: {error}. Replace what is no character in it.") from error


def exceeds(text: str, size_bytes: int) -> bool:
    """Whether the text's UTF-8 is longer."""
    return len(text) > size_bytes or (not text.isascii() and len(utf8(text)) > size_bytes)


def checked_text(data: bytes, what: str) -> str:
    """The text that `utf8` gave the bytes of. Raises SerializationError, which names `what`."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise SerializationError(f"{what} is no text: it was damaged after it was written.") from error
