"""What is recorded of an execution, to be looked at by a test: outcome, operations by name, path or type, events.

Rule: everything here is read from the record, as the service keeps it; nothing is remembered from the run.
"""

from __future__ import annotations

import builtins
import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final, Generic, TypeVar, cast

import msgspec

from everstep.errors import ExecutionFailed, UsageError
from everstep.histories.paths import path, places_of
from everstep.protocol.shapes import ErrorObject, ExecutionStatus, Operation, OperationStatus, OperationType
from everstep.serdes import serdes_for
from everstep.testing.drawing import Line, Where, outcome_line, timeline, tree

Out_co = TypeVar("Out_co", covariant=True)
T = TypeVar("T")

JsonObject = Mapping[str, object]
_ANY: Final = object()
"""An expectation that was not given."""


class RecordedOperation:
    """One operation. path: the names from the outermost context to it, joined by "/"; a name that comes again has "#2".

    children: operations inside it, in the order in which they began.
    """

    def __init__(self, operation: Operation, path: str, parent: RecordedOperation | None, read: Callable[[str, str], str]) -> None:
        self._operation, self._read = operation, read
        self.path, self.parent = path, parent
        self.children: list[RecordedOperation] = []

    def __repr__(self) -> str:
        return f"<{self.label} {self.status}>"

    @property
    def id(self) -> str:
        return self._operation.id

    @property
    def type(self) -> OperationType:
        return self._operation.type

    @property
    def sub_type(self) -> str | None:
        return self._operation.sub_type

    @property
    def name(self) -> str | None:
        return self._operation.name

    @property
    def status(self) -> OperationStatus:
        return self._operation.status

    @property
    def label(self) -> str:
        """Kind and name, "Step charge"."""
        return " ".join(part for part in (self.sub_type or self.type, self.name) if part)

    @property
    def attempts(self) -> int:
        """Of a step or a condition: how many were made. 1 for other operations."""
        details = self._operation.step_details
        return 1 if details is None else details.attempt or 0

    @property
    def started_at(self) -> datetime:
        return _moment(self._operation.start_timestamp)

    @property
    def ended_at(self) -> datetime | None:
        """None while it is open."""
        at = self._operation.end_timestamp
        return None if at is None else _moment(at)

    @property
    def took(self) -> timedelta:
        """From its start to its end. Raises AssertionError if it has not ended."""
        assert self.ended_at is not None, f"{self.label} has not ended: it is {self.status}"
        return self.ended_at - self.started_at

    @property
    def callback_id(self) -> str | None:
        details = self._operation.callback_details
        return None if details is None else details.callback_id

    @property
    def text(self) -> str | None:
        """The recorded result as it was written, before any stages."""
        operation = self._operation
        details = operation.step_details or operation.context_details or operation.callback_details or operation.chained_invoke_details
        text = details.result if details is not None else None
        return None if text is None else self._read(text, operation.id)

    @property
    def result(self) -> object:
        """The recorded result: what its JSON says, or the text if it is none. See `result_as`. None if there is none."""
        text = self.text
        if not text:
            return None
        try:
            value: object = msgspec.json.decode(text)
        except msgspec.DecodeError:
            return text
        return value

    def result_as(self, kind: builtins.type[T]) -> T:
        """The recorded result as a value of this type. Raises SerializationError."""
        return cast("T", serdes_for(kind).deserialize(self.text or "null"))

    @property
    def error(self) -> ErrorObject | None:
        operation = self._operation
        details = operation.step_details or operation.context_details or operation.callback_details or operation.chained_invoke_details
        return None if details is None else details.error

    def assert_succeeded(self, result: object = _ANY) -> None:
        """Fail unless it succeeded, with this result if one is given. Where the value is a type's, compare `result_as` instead."""
        assert self.status == "SUCCEEDED", f"{self.label} did not succeed: {outcome_line(self.status, None, self.error)}"
        if result is not _ANY:
            _assert_equal(f"the result of {self.label}", self.result, result)

    def assert_failed(self, error_type: str | None = None, message: str | None = None) -> None:
        """Fail unless it failed or timed out, with this error if one is given. message: a part of it."""
        assert self.status in ("FAILED", "TIMED_OUT", "STOPPED"), f"{self.label} did not fail: {outcome_line(self.status, self.text, None)}"
        _assert_error(self.label, self.error, error_type, message)


class RecordedExecution(Generic[Out_co]):
    """One execution. input, text: JSON, as recorded."""

    def __init__(
        self,
        *,
        arn: str,
        name: str,
        status: ExecutionStatus,
        started_at_ms: float,
        ended_at_ms: float | None,
        input: str | None,  # noqa: A002  # what it is called on the wire
        text: str | None,
        error: ErrorObject | None,
        operations: Sequence[Operation],
        events: Callable[[], Sequence[JsonObject]],
        decode: Callable[[str | None], Out_co],
        read: Callable[[str, str], str],
        invocations: int,
        checkpoints: int | None = None,
    ) -> None:
        """operations: in the order in which they began. events: in wire form, timestamps in milliseconds."""
        self.arn, self.name = arn, name
        self.status: ExecutionStatus = status
        self.started_at = _moment(started_at_ms)
        self.ended_at = None if ended_at_ms is None else _moment(ended_at_ms)
        self.input, self.text, self.error = input, text, error
        self.invocations, self.checkpoints = invocations, checkpoints
        self.recorded = operations
        """As the service keeps them, the EXECUTION operation first."""
        self._make_events, self._decode, self._read = events, decode, read

    def __repr__(self) -> str:
        return f"<execution {self.name} {self.status}>"

    @property
    def result(self) -> Out_co:
        """What the handler returned. Raises ExecutionFailed if it did not succeed, UsageError if it is open."""
        if self.status == "SUCCEEDED":
            return self._decode(self.text)
        if self.ended_at is None:
            raise UsageError(f"the execution has not ended, it is {self.status}:\n{self.tree()}")
        error = self.error or ErrorObject()
        raise ExecutionFailed(self.arn, self.status, error.error_type, error.error_message)

    @property
    def took(self) -> timedelta:
        """From its start to its end. Raises AssertionError if it has not ended."""
        assert self.ended_at is not None, f"the execution has not ended, it is {self.status}"
        return self.ended_at - self.started_at

    @cached_property
    def events(self) -> Sequence[JsonObject]:
        """The history, in wire form, with timestamps in milliseconds."""
        return self._make_events()

    # -- operations ------------------------------------------------------------

    @cached_property
    def operations(self) -> Sequence[RecordedOperation]:
        """All of them, in the order in which they began."""
        found: dict[str, RecordedOperation] = {}
        places = places_of(self.recorded)
        for operation in self.recorded:
            if operation.type == "EXECUTION":
                continue
            parent = found.get(operation.parent_id or "")
            one = found[operation.id] = RecordedOperation(operation, path(places[operation.id]), parent, self._read)
            if parent is not None:
                parent.children.append(one)
        return list(found.values())

    def find(
        self,
        name: str | None = None,
        *,
        type: OperationType | None = None,  # noqa: A002  # what it is called on the wire
        sub_type: str | None = None,
        status: OperationStatus | None = None,
    ) -> list[RecordedOperation]:
        """The operations of which all that holds, in the order in which they began."""
        return [
            operation
            for operation in self.operations
            if name in (None, operation.name)
            and type in (None, operation.type)
            and sub_type in (None, operation.sub_type)
            and status in (None, operation.status)
        ]

    def operation(self, path: str) -> RecordedOperation:
        """The one operation with this name, path or end of a path. Raises LookupError, naming what there is."""
        exact = [operation for operation in self.operations if operation.path == path]
        found = exact or [operation for operation in self.operations if operation.path.endswith(f"/{path}") or operation.name == path]
        if len(found) == 1:
            return found[0]
        if found:
            paths = ", ".join(repr(operation.path) for operation in found)
            raise LookupError(f"{len(found)} operations are called {path!r}; ask for one of {paths}")
        raise LookupError(f"no operation is called {path!r}. There are:\n{self.tree()}")

    # -- asserts ---------------------------------------------------------------

    def assert_succeeded(self, result: object = _ANY) -> None:
        """Fail unless it succeeded, with this result if one is given."""
        assert self.status == "SUCCEEDED", f"the execution did not succeed:\n{self.tree()}"
        if result is not _ANY:
            _assert_equal("the execution's result", self.result, result)

    def assert_failed(self, error_type: str | None = None, message: str | None = None) -> None:
        """Fail unless it is FAILED, with this error if one is given. message: a part of it."""
        assert self.status == "FAILED", f"the execution is not FAILED:\n{self.tree()}"
        _assert_error("the execution", self.error, error_type, message)

    def assert_status(self, status: ExecutionStatus) -> None:
        assert self.status == status, f"the execution is not {status}:\n{self.tree()}"

    def assert_operations(self, *labels: str) -> None:
        """Fail unless exactly these began, in this order, each by kind and name: "Step charge", "Wait", …"""
        began = [operation.label for operation in self.operations]
        if began != list(labels):
            difference = "\n".join(difflib.unified_diff(labels, began, "expected", "began", lineterm="", n=len(began)))
            raise AssertionError(f"other operations began than expected:\n{difference}")

    # -- to look at ------------------------------------------------------------

    def lines(self, where: Where | None = None) -> Iterator[Line]:
        """Those of `tree`, each with the status that it shows. where: the places that called them, as far as they are known."""
        return tree(self, [operation for operation in self.operations if operation.parent is None], where or {})

    def tree(self) -> str:
        """Its operations as a tree, with their outcomes, to be printed."""
        return "\n".join(line.text for line in self.lines())

    def timeline(self) -> str:
        """Its events, one a line, with how long after the start they happened, to be printed."""
        return timeline(self.events)


def _assert_equal(what: str, found: object, expected: object) -> None:
    if found != expected:
        shown = difflib.unified_diff(_lines(expected), _lines(found), "expected", "recorded", lineterm="", n=100)
        raise AssertionError(f"{what} is not as expected:\n" + "\n".join(shown))


def _lines(value: object) -> list[str]:
    from pprint import pformat

    return pformat(value, width=100, sort_dicts=False).splitlines()


def _assert_error(who: str, error: ErrorObject | None, error_type: str | None, message: str | None) -> None:
    error = error or ErrorObject()
    said = f"{error.error_type}: {error.error_message}"
    short = (error.error_type or "").rpartition(".")[2]
    assert error_type in (None, error.error_type, short), f"{who} failed otherwise than with {error_type}: {said}"
    assert message is None or message in (error.error_message or ""), f"{who} failed without saying {message!r}: {said}"


def _moment(at_ms: float) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
