"""Recordings from files: what GetDurableExecutionHistory answers, in whatever way a program has printed it.

Rule: the AWS CLI, boto3 and our service print wire names; times and envelopes differ. The event of an invocation is read, too: it
holds the operations themselves. What cannot be replayed is refused, and said how to be exported instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, cast

import msgspec

from everstep.client.event import read_event
from everstep.errors import UsageError
from everstep.histories.events import Event, JsonObject, left_out, operations_of
from everstep.histories.recording import Recording
from everstep.protocol.ids import execution_id
from everstep.protocol.shapes import ExecutionDetails, ExecutionStatus, Operation

EXPORT_WITH_DATA: Final = "export it with `everstep export`, or `aws lambda get-durable-execution-history --include-execution-data …`"
_ENDS: Final[Mapping[str, ExecutionStatus]] = {
    "ExecutionSucceeded": "SUCCEEDED",
    "ExecutionFailed": "FAILED",
    "ExecutionTimedOut": "TIMED_OUT",
    "ExecutionStopped": "STOPPED",
}


def files_of(paths: Sequence[Path]) -> Iterator[Path]:
    """The files that are meant: a directory stands for the JSON files below it. Raises UsageError."""
    for path in paths:
        if path.is_dir():
            found = sorted(path.rglob("*.json"))
            if not found:
                raise UsageError(f"there are no .json files in {path}")
            yield from found
        elif path.is_file():
            yield path
        else:
            raise UsageError(f"there is no file {path}")


def read_recording(text: str | bytes, source: str) -> Recording:
    """The recording in a file's text. source: names it in errors and verdicts. Raises UsageError."""
    try:
        found: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise UsageError(f"{source} is not JSON ({error}): `aws … --output json` prints what is wanted here") from None
    return recording_of(found, source)


def recording_of(found: object, source: str) -> Recording:
    """The recording in parsed JSON. Raises UsageError."""
    events, arn = events_of(found, source)
    if events is None:
        return _of_invocation(found, source)
    return _of_events(events, arn, source)


def events_of(found: object, source: str) -> tuple[list[Event] | None, str | None]:
    """The events in parsed JSON, in order, and the execution's ARN if it is named; None if it is no history. Raises UsageError."""
    if isinstance(found, list):
        parts = [_object(part, source) for part in cast("list[object]", found)]
        if not parts or "Events" not in parts[0]:
            return _ordered(parts, source), None
    else:
        parts = [_object(found, source)]
        if "Events" not in parts[0]:
            return None, None
    if parts[-1].get("NextMarker"):
        raise UsageError(f"{source} is a page of a longer history: export it whole, without --max-items and --no-paginate")
    arns = [arn for part in parts if isinstance(arn := part.get("DurableExecutionArn"), str)]
    raw = [_object(event, source) for part in parts for event in cast("list[object]", part["Events"])]
    return _ordered(raw, source), arns[0] if arns else None


def _ordered(raw: Sequence[JsonObject], source: str) -> list[Event]:
    try:
        events = sorted((Event(one) for one in raw), key=lambda event: event.number)
    except UsageError as error:
        raise UsageError(f"{source}: {error}") from None
    if not events or events[0].kind != "ExecutionStarted":
        first = events[0].kind if events else "nothing"
        raise UsageError(f"{source} begins with {first} instead of ExecutionStarted: export the whole history")
    return events


def _object(found: object, source: str) -> JsonObject:
    if not isinstance(found, dict):
        raise UsageError(f"{source} is no history: it holds {str(found)[:60]!r} where an object belongs")
    return cast("JsonObject", found)


def _of_invocation(found: object, source: str) -> Recording:
    members = _object(found, source)
    if "InitialExecutionState" not in members:
        has = ", ".join(sorted(members)[:6]) or "nothing"
        raise UsageError(f'{source} is no history: it has {has}, and a history has "Events": {EXPORT_WITH_DATA}')
    try:
        read = read_event(members)
    except UsageError as error:
        raise UsageError(f"{source}: {error}") from None
    operations = read.initial_execution_state.operations
    if read.initial_execution_state.next_marker:
        raise UsageError(f"{source} holds the first of the execution's operations only: {EXPORT_WITH_DATA}")
    execution = next((operation for operation in operations if operation.type == "EXECUTION"), None)
    if execution is None:
        raise UsageError(f"{source} has no EXECUTION operation, so there is no input to replay with")
    arn = read.durable_execution_arn
    details = execution.execution_details
    return Recording(
        source=source,
        arn=arn,
        name=execution.name or arn.rsplit("/", 2)[-2],
        status="RUNNING",
        operations=operations,
        input=None if details is None else details.input_payload,
    )


def _of_events(events: Sequence[Event], arn: str | None, source: str) -> Recording:
    missing, payloads = left_out(events)
    if missing == payloads and missing:
        raise UsageError(f"{source} was exported without payloads, and nothing can be replayed without them: {EXPORT_WITH_DATA}")
    if missing:
        raise UsageError(
            f"{missing} of the {payloads} payloads in {source} were cut off by what printed it: {EXPORT_WITH_DATA}. If the service "
            "leaves them out as well, verify with the event of an invocation instead, as the function logs it"
        )
    started = events[0]
    identity = execution_id(arn) if arn is not None else started.id or "execution"
    execution = Operation(
        id=identity,
        type="EXECUTION",
        status="STARTED",
        start_timestamp=started.at_ms,
        name=_name(started, arn),
        execution_details=ExecutionDetails(input_payload=started.payload("Input")),
    )
    try:
        operations = [execution, *operations_of(events)]
    except (UsageError, ValueError, msgspec.ValidationError) as error:
        raise UsageError(f"{source}: {error}") from None
    last = next((event for event in reversed(events) if event.kind in _ENDS), None)
    return Recording(
        source=source,
        arn=arn,
        name=_name(started, arn),
        status="RUNNING" if last is None else _ENDS[last.kind],
        operations=operations,
        input=started.payload("Input"),
        result=None if last is None else last.payload("Result"),
        error=None if last is None else last.error(),
    )


def _name(started: Event, arn: str | None) -> str:
    name = started.raw.get("Name")
    if isinstance(name, str):
        return name
    return "execution" if arn is None else arn.rsplit("/", 2)[-2]
