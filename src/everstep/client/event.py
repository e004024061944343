"""The event that Lambda's runtime hands to the handler, and what the handler's function answers.

Rule: pure. Here a timestamp is an integer, milliseconds, as in our shapes; nothing is converted.
Source: spec 3.10.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from everstep.client import lenient
from everstep.errors import UsageError
from everstep.protocol.shapes import InvocationInput, InvocationOutput

_decode: Final = msgspec.json.Decoder(InvocationInput).decode


def read_event(event: object) -> InvocationInput:
    """The input of an invocation. event: as JSON (bytes or str) or parsed.

    Members that we don't know are ignored, those that are null are absent. Raises UsageError if it is no durable invocation.
    """
    try:
        if isinstance(event, bytes | str):
            return _decode(event)
        return msgspec.convert(event, InvocationInput)
    except msgspec.DecodeError as error:
        return _read_leniently(event, error)


def write_output(output: InvocationOutput) -> dict[str, object]:
    """What the function returns: a dict that Lambda's runtime turns into JSON."""
    members: dict[str, object] = msgspec.to_builtins(output)
    return members


def _read_leniently(event: object, reason: msgspec.DecodeError) -> InvocationInput:
    members = _members(event)
    if not members.get("DurableExecutionArn"):
        has = ", ".join(sorted(members)[:5]) or type(event).__name__
        raise UsageError(
            "the function was invoked directly or is not configured as durable: its event is no durable invocation (no "
            f"DurableExecutionArn; it has: {has}). Set DurableConfig on the function and invoke a version or an alias of it; "
            "in a test, run the handler with everstep.testing"
        )
    try:
        return InvocationInput(
            durable_execution_arn=msgspec.convert(members["DurableExecutionArn"], str),
            checkpoint_token=msgspec.convert(members.get("CheckpointToken"), str),
            initial_execution_state=lenient.read_state(members.get("InitialExecutionState") or {}, ms_per_unit=1),
            updated_operation_ids=msgspec.convert(members.get("UpdatedOperationIds"), list[str] | None),
        )
    except msgspec.ValidationError:
        raise UsageError(f"the event of this durable invocation cannot be read: {reason}. A newer everstep may: upgrade") from reason


def _members(event: object) -> Mapping[str, object]:
    try:
        parsed = msgspec.json.decode(event) if isinstance(event, bytes | str) else event
        return msgspec.convert(parsed, dict[str, object])
    except msgspec.DecodeError:
        return {}
