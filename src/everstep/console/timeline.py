"""An execution's history as a tree of operations, each with its spans in time.

Rule: pure, and made of events alone. What an event is called says what it does: KindStarted opens, KindSucceeded, KindFailed and so on
close; a failed step with a delay has another attempt to come. An event of a kind that is not known changes nothing.

Source: GetDurableExecutionHistory, Lambda API model 2015-03-31.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, cast

from everstep.console.values import spaced, without_role

Event: TypeAlias = Mapping[str, object]
SpanKind: TypeAlias = Literal["attempt", "delay", "wait", "callback", "invoke", "branch", "failed-attempt"]

_TYPE: Final = re.compile(r"(Step|Wait|Callback|ChainedInvoke|Context)(Started|Succeeded|Failed|TimedOut|Stopped|Cancelled)")
_STATUS: Final = {"Succeeded": "SUCCEEDED", "Failed": "FAILED", "TimedOut": "TIMED_OUT", "Stopped": "STOPPED", "Cancelled": "CANCELLED"}
_SPANS: Final[Mapping[str, SpanKind]] = {
    "Step": "attempt",
    "Wait": "wait",
    "Callback": "callback",
    "ChainedInvoke": "invoke",
    "Context": "branch",
}
_WORDS: Final = {"ChainedInvoke": "invoke", "Context": "child context"}


@dataclass(slots=True)
class Span:
    """ends_at: None while it lasts."""

    kind: SpanKind
    starts_at: float
    ends_at: float | None = None


@dataclass(slots=True)
class Operation:
    """status: STARTED while it works, WAITING and RETRYING while nothing of it runs, else how it ended.

    due_at: when it goes on by itself. child_arn: the execution that it invoked. error: type and message.
    """

    id: str
    kind: str
    name: str
    sub_type: str
    parent_id: str | None
    starts_at: float
    status: str = "STARTED"
    ends_at: float | None = None
    due_at: float | None = None
    attempts: int = 1
    callback_id: str | None = None
    child_arn: str | None = None
    function: str | None = None
    error: str | None = None
    depth: int = 0
    spans: list[Span] = field(default_factory=list[Span])

    @property
    def title(self) -> str:
        return without_role(self.name) or (f"invoke {self.function}" if self.function else self.sub_type or self.kind_word)

    @property
    def kind_word(self) -> str:
        """The field's word for what it is."""
        if self.sub_type and self.kind == "Context":
            return spaced(self.sub_type)
        return _WORDS.get(self.kind, self.kind.lower())

    @property
    def is_open(self) -> bool:
        return self.ends_at is None


@dataclass(frozen=True, slots=True)
class Timeline:
    """operations: each before its children. invocations: of the handler."""

    operations: Sequence[Operation]
    invocations: Sequence[Span]
    starts_at: float
    ends_at: float | None

    def waits_for(self) -> Sequence[Operation]:
        """What is open and has nothing open inside."""
        parents = {one.parent_id for one in self.operations if one.is_open}
        return [one for one in self.operations if one.is_open and one.id not in parents]


def text(value: object) -> str:
    return value if isinstance(value, str) else ""


def number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def members(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def details(event: Event) -> Mapping[str, object]:
    """What an event says of its own kind."""
    return members(event.get(f"{text(event.get('EventType'))}Details"))


def timeline(events: Iterable[Event]) -> Timeline:
    telling = Telling()
    for event in events:
        telling.tell(event)
    return telling.timeline()


class Telling:
    """A timeline that is told event by event, oldest first. What it has handed out follows it."""

    def __init__(self) -> None:
        self._found: dict[str, Operation] = {}
        self._invocations: list[Span] = []
        self._starts_at = 0.0
        self._ends_at: float | None = None

    @property
    def size(self) -> int:
        """In operations."""
        return len(self._found) + len(self._invocations)

    def tell(self, event: Event) -> None:
        kind, at, own = text(event.get("EventType")), number(event.get("EventTimestamp")), details(event)
        matched = _TYPE.fullmatch(kind)
        if matched is not None:
            _tell(self._found, matched[1], matched[2], at, event, own)
        elif kind == "ExecutionStarted":
            self._starts_at = at
        elif kind.startswith("Execution"):
            self._ends_at = at
        elif kind == "InvocationCompleted":
            failed: SpanKind = "failed-attempt" if members(own.get("Error")) else "attempt"
            self._invocations.append(Span(failed, number(own.get("StartTimestamp")), number(own.get("EndTimestamp"))))

    def timeline(self) -> Timeline:
        if self._ends_at is not None:  # what was open then will never end by itself
            for operation in self._found.values():
                if operation.is_open:
                    _close(operation, "CANCELLED", self._ends_at)
        return Timeline(_in_tree_order(self._found), self._invocations, self._starts_at, self._ends_at)


def _tell(found: dict[str, Operation], kind: str, happened: str, at: float, event: Event, own: Mapping[str, object]) -> None:
    key = text(event.get("Id"))
    operation = found.get(key)
    if operation is None:
        parent, sub_type = text(event.get("ParentId")) or None, text(event.get("SubType"))
        operation = found[key] = Operation(key, kind, text(event.get("Name")), sub_type, parent, at)
        if happened != "Started":
            operation.spans.append(Span(_SPANS[kind], at))
    if happened == "Started":
        _start(operation, at, own)
        return
    error = members(members(own.get("Error")).get("Payload"))
    if error:
        operation.error = ": ".join(part for part in (text(error.get("ErrorType")), text(error.get("ErrorMessage"))) if part)
    retry = members(own.get("RetryDetails"))
    operation.attempts = max(operation.attempts, int(number(retry.get("CurrentAttempt"))))
    delay_s = number(retry.get("NextAttemptDelaySeconds"))
    if delay_s:
        _end_spans(operation, at, failed=happened == "Failed")
        operation.spans.append(Span("delay", at))
        operation.status, operation.due_at = "RETRYING", at + delay_s
    else:
        _close(operation, _STATUS[happened], at)


def _start(operation: Operation, at: float, own: Mapping[str, object]) -> None:
    if operation.spans:
        operation.attempts += operation.spans[-1].kind == "delay"
        _end_spans(operation, at)
    operation.spans.append(Span(_SPANS[operation.kind], at))
    operation.status = "WAITING" if operation.kind in ("Wait", "Callback", "ChainedInvoke") else "STARTED"
    operation.due_at = number(own.get("ScheduledEndTimestamp")) or None
    operation.callback_id = text(own.get("CallbackId")) or operation.callback_id
    operation.child_arn = text(own.get("DurableExecutionArn")) or operation.child_arn
    operation.function = text(own.get("FunctionName")) or operation.function


def _end_spans(operation: Operation, at: float, *, failed: bool = False) -> None:
    for span in operation.spans:
        if span.ends_at is None:
            span.ends_at = at
            if failed and span.kind == "attempt":
                span.kind = "failed-attempt"


def _close(operation: Operation, status: str, at: float) -> None:
    _end_spans(operation, at, failed=status in ("FAILED", "TIMED_OUT"))
    operation.status, operation.ends_at, operation.due_at = status, at, None


def _in_tree_order(found: Mapping[str, Operation]) -> Sequence[Operation]:
    children: dict[str | None, list[Operation]] = {}
    for operation in found.values():
        parent = operation.parent_id if operation.parent_id in found else None
        children.setdefault(parent, []).append(operation)
    ordered: list[Operation] = []
    ahead = [(operation, 0) for operation in reversed(children.get(None, []))]
    while ahead:
        operation, operation.depth = ahead.pop()
        ordered.append(operation)
        ahead.extend((child, operation.depth + 1) for child in reversed(children.get(operation.id, [])))
    return ordered
