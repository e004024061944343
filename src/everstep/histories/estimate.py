"""What an execution spends of the service's quotas, and which constructs spend it.

Rule: pure. Counted as the service counts: an operation when it begins and each time that it is retried or polled again, the
execution itself, and each invocation that failed.
Source: quotas page of the service (spec 5).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from everstep.histories.events import Event, left_out
from everstep.protocol.limits import MAX_OPERATION_PAYLOAD, MAX_OPERATIONS, MAX_RESULT_ASYNC, MAX_WRITTEN_BYTES

_WRAPPERS: Final = ("Input", "Result", "Error")
_RETRIED: Final = ("StepFailed", "StepSucceeded")


class Construct(Struct, frozen=True, kw_only=True):
    """What one call in the handler spends, with everything inside it; calls of one kind and name are added up.

    calls: how often it was called. operations, retries, bytes: of all calls together. inside: by kind, how many operations.
    """

    label: str
    calls: int
    operations: int
    retries: int
    bytes: int
    inside: Mapping[str, int]


class Limit(Struct, frozen=True, kw_only=True):
    """A quota. most: None if nothing limits it."""

    what: str
    used: int
    most: int | None

    @property
    def share(self) -> float | None:
        return None if self.most is None else self.used / self.most


class Estimate(Struct, frozen=True, kw_only=True):
    """constructs: those that spend most operations first. is_open: it may yet spend more. without_payloads: bytes are not known."""

    source: str
    limits: Sequence[Limit]
    constructs: Sequence[Construct]
    is_open: bool
    without_payloads: int

    @property
    def exceeded(self) -> list[Limit]:
        return [limit for limit in self.limits if limit.most is not None and limit.used > limit.most]


def estimate(events: Sequence[Event], source: str) -> Estimate:
    """events: in order, the first of them ExecutionStarted."""
    parents: dict[str, str | None] = {}
    labels: dict[str, str] = {}
    kinds: dict[str, str] = {}
    retries: Counter[str] = Counter()
    written: Counter[str] = Counter()
    invocations = failed = largest = 0
    for event in events:
        size = _size(event)
        if event.kind == "InvocationCompleted":
            invocations += 1
            failed += bool(event.detail("Error")) and not _is_the_executions(event, events)
        elif event.kind.startswith("Execution"):
            written[""] += size
        elif event.id is not None:
            if event.id not in parents:
                raw = event.raw
                parent, name = raw.get("ParentId"), raw.get("Name")
                parents[event.id] = parent if isinstance(parent, str) else None
                kinds[event.id] = str(raw.get("SubType") or event.kind.removesuffix("Started"))
                labels[event.id] = f"{kinds[event.id]} {name}" if name else kinds[event.id]
            written[event.id] += size
            largest = max(largest, size)
            retries[event.id] += event.kind in _RETRIED and bool(event.retry()[1])
    spent = 1 + len(parents) + retries.total() + failed
    result = next((_size(event) for event in events if event.kind == "ExecutionSucceeded"), 0)
    return Estimate(
        source=source,
        limits=[
            Limit(what="operations", used=spent, most=MAX_OPERATIONS),
            Limit(what="bytes written", used=written.total(), most=MAX_WRITTEN_BYTES),
            Limit(what="bytes of the largest payload", used=largest, most=MAX_OPERATION_PAYLOAD),
            Limit(what="bytes of the result", used=result, most=MAX_RESULT_ASYNC),
            Limit(what="invocations", used=invocations, most=None),
            Limit(what="failed invocations", used=failed, most=None),
        ],
        constructs=_constructs(parents, labels, kinds, retries, written),
        is_open=not any(event.kind.startswith("Execution") for event in events[1:]),
        without_payloads=left_out(events)[0],
    )


def _constructs(
    parents: Mapping[str, str | None],
    labels: Mapping[str, str],
    kinds: Mapping[str, str],
    retries: Mapping[str, int],
    written: Mapping[str, int],
) -> list[Construct]:
    calls: Counter[str] = Counter()
    operations: Counter[str] = Counter()
    retried: Counter[str] = Counter()
    bytes_: Counter[str] = Counter()
    inside: dict[str, Counter[str]] = {}
    tops: dict[str, str] = {}  # an operation's outermost context, or itself
    for one, parent in parents.items():
        top = tops[one] = one if parent is None else tops.get(parent, one)
        label = labels[top]
        if top == one:
            calls[label] += 1
        else:
            inside.setdefault(label, Counter())[kinds[one]] += 1
        operations[label] += 1 + retries[one]
        retried[label] += retries[one]
        bytes_[label] += written[one]
    return [
        Construct(
            label=label, calls=calls[label], operations=count, retries=retried[label], bytes=bytes_[label], inside=inside.get(label, {})
        )
        for label, count in operations.most_common()
    ]


def _is_the_executions(event: Event, events: Sequence[Event]) -> bool:
    """Whether the invocation's error is the handler's own, that the execution failed with: no retry was spent on it."""
    place = events.index(event)
    return place + 1 < len(events) and events[place + 1].kind == "ExecutionFailed"


def _size(event: Event) -> int:
    """Bytes of its payloads."""
    if event.kind == "InvocationCompleted":
        return 0
    size = 0
    for name in _WRAPPERS:
        text = event.payload(name)
        if text is not None:
            size += len(text.encode())
    error = event.error()
    return size + (0 if error is None else len(msgspec.json.encode(error)))


# -- to read -------------------------------------------------------------------


def as_text(found: Estimate) -> str:
    lines = [f"{found.source}{' (still open)' if found.is_open else ''}"]
    for limit in found.limits:
        share = "" if limit.share is None or limit.most is None else f" of {limit.most:,} ({limit.share:.1%})"
        lines.append(f"  {limit.used:>12,}  {limit.what}{share}{'  EXCEEDED' if limit in found.exceeded else ''}")
    if found.without_payloads:
        lines.append(
            f"  bytes are too few: {found.without_payloads} payloads are not in the history; export it with payloads to count them"
        )
    if found.constructs:
        lines.append("  operations, bytes, and what spends them:")
    for one in found.constructs:
        times = f" ({one.calls:,} times)" if one.calls > 1 else ""
        parts = [f"{count:,} {kind}" for kind, count in one.inside.items()]
        if one.retries:
            parts.append(f"{one.retries:,} retries or polls")
        within = f" ({', '.join(parts)})" if parts else ""
        lines.append(f"  {one.operations:>12,}  {one.bytes:>12,}  {one.label}{times}{within}")
    return "\n".join(lines) + "\n"


def as_json(found: Sequence[Estimate]) -> str:
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"
