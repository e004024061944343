"""The record of an execution that runs elsewhere, made from its history.

Rule: pure. An event that comes twice counts once: pages are read while the execution goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar, cast

from everstep.histories.events import JsonObject, moment_ms
from everstep.histories.reading import recording_of
from everstep.protocol.shapes import ExecutionStatus
from everstep.testing.records import RecordedExecution

Out = TypeVar("Out")


def recorded(
    arn: str,
    events: Iterable[JsonObject],
    *,
    decode: Callable[[str | None], Out],
    read: Callable[[str, str], str],
    status: ExecutionStatus | None = None,
) -> RecordedExecution[Out]:
    """events: as the API answers them. status: of the execution if it is known; a history does not tell that it is being paused.

    decode: the result's text. read: an operation's text and id; what stages did to the text is undone.
    Raises UsageError if it is no whole history.
    """
    known = list({event.get("EventId"): event for event in events}.values())
    recording = recording_of({"DurableExecutionArn": arn, "Events": known}, arn)
    return RecordedExecution(
        arn=arn,
        name=recording.name,
        status=status or recording.status,
        started_at_ms=recording.operations[0].start_timestamp,
        ended_at_ms=None if recording.is_open else moment_ms(known[-1]["EventTimestamp"]),
        input=recording.input,
        text=recording.result,
        error=recording.error,
        operations=recording.operations,
        events=lambda: [_in_milliseconds(event) for event in known],
        decode=decode,
        read=read,
        invocations=sum(event.get("EventType") == "InvocationCompleted" for event in known),
    )


def _in_milliseconds(event: JsonObject) -> JsonObject:
    """The event with its times as everywhere in records."""
    found: dict[str, object] = {}
    for name, value in event.items():
        if name.endswith("Timestamp"):
            found[name] = moment_ms(value)
        elif name.endswith("Details"):
            found[name] = _in_milliseconds(cast("JsonObject", value))
        else:
            found[name] = value
    return found
