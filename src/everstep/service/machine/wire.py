"""The wrappers that events put around payloads, in wire form."""

from __future__ import annotations

from typing import Final

from msgspec import to_builtins

from everstep.protocol.shapes import ErrorObject

NO_PAYLOAD: Final[dict[str, object]] = {}


def payload_of(value: str | ErrorObject | None) -> dict[str, object]:
    """`{"Payload": …}`, or an empty wrapper if there is nothing. An empty error is something."""
    if value is None:
        return NO_PAYLOAD
    return {"Payload": value if isinstance(value, str) else to_builtins(value)}
