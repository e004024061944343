"""What else is to be said of an execution: when it began, what it was given, what it waits for, what broke.

Rule: pure. A callback that waits is shown with the command that answers it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from everstep.cli.showing import ago, span
from everstep.protocol.shapes import TERMINAL, ErrorObject

if TYPE_CHECKING:
    from everstep.cli.following import Record
    from everstep.client.executions import JsonObject


def facts(description: JsonObject, record: Record) -> Iterator[str]:
    yield ""
    yield f"arn      {record.arn}"
    took = f", took {span(record.took)}" if record.ended_at is not None else ""
    invoked = f"{record.invocations} invocation{'' if record.invocations == 1 else 's'}"
    yield f"started  {ago(record.started_at.timestamp() * 1000)}{took}, {invoked}"
    if record.input not in (None, "null"):
        yield f"input    {record.input}"
    if record.status == "SUCCEEDED" and record.text not in (None, "null"):
        yield f"result   {record.text}"
    reason = cast("JsonObject", description.get("PauseDetails") or {}).get("Reason")
    if reason:
        yield f"paused   {reason}"
    yield from waiting(record)
    for who, error in _errors(record):
        yield f"error    {who}: {error.error_type or 'error'}: {error.error_message or ''}"
        yield from (f"         {line}" for text in error.stack_trace or () for line in text.splitlines())


def waiting(record: Record, url: str | None = None) -> Iterator[str]:
    """The callbacks that nobody has answered, with how to. url: of the service, unless the environment names it."""
    if record.ended_at is not None:
        return
    where = "" if url is None else f" --endpoint-url {url}"
    for operation in record.operations:
        if operation.callback_id is not None and operation.status not in TERMINAL:
            asked = operation.parent if operation.parent is not None and operation.parent.sub_type == "WaitForCallback" else operation
            name = asked.name or operation.id[:8]
            yield f"waits    for the callback {name}: everstep callback succeed {operation.callback_id} --result JSON{where}"


def _errors(record: Record) -> Iterator[tuple[str, ErrorObject]]:
    """Where failures began: those of operations whose children did not fail, and of the execution if no operation did."""
    found = False
    for operation in record.operations:
        if operation.error is not None and not any(child.error is not None for child in operation.children):
            found = True
            yield operation.label, operation.error
    if record.error is not None and not found:
        yield "the execution", record.error
