"""What stages wrote instead of a payload, as far as people may see it: an excerpt, or what it is.

Rule: nothing is fetched and nothing decrypted. A payload is shown as its handler meant it, or not at all, with the reason.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from everstep.errors import DurableError
from everstep.stages.api import Where
from everstep.stages.compressed import Compressed
from everstep.stages.envelope import is_envelope

MOST_BYTES: Final = 4 * 1024 * 1024
"""Of a text that is decompressed to be shown."""
_NOWHERE: Final = Where(execution_arn="", operation_id="")


class Opened(NamedTuple):
    """text: to show; empty if it cannot be. note: what is recorded in its place; empty if it is the payload itself."""

    text: str
    note: str


def opened(payload: str) -> Opened:
    if not is_envelope(payload):
        return Opened(payload, "")
    try:
        members = msgspec.json.decode(payload, type=dict[str, object])
    except (msgspec.MsgspecError, RecursionError):
        return Opened(payload, "")
    match members:
        case {"everstep": "text", "data": str() as data}:
            return Opened(data, "")
        case {"everstep": "offloaded", "uri": uri, "bytes": size}:
            place = f"{size} bytes, kept at {uri}"
            if "preview" not in members:
                return Opened("", place)
            return Opened(msgspec.json.encode(members["preview"]).decode(), f"an excerpt of {place}")
        case {"everstep": "zstd"}:
            return _decompressed(payload)
        case {"everstep": "aes-256-gcm", "key": key}:
            return Opened("", f"encrypted with the key {key}, which is not here")
        case _:
            return Opened(payload, f"as the stage {members.get('everstep')} wrote it")


def _decompressed(payload: str) -> Opened:
    try:
        text = Compressed(max_bytes=MOST_BYTES).read(payload, _NOWHERE)
    except DurableError:  # it is larger, or damaged, or there is no library for it
        return Opened("", "compressed, and too large to be shown or not readable here")
    inside = opened(text)
    return Opened(inside.text, inside.note or "compressed")
