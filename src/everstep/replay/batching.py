"""How queued updates are divided over checkpoint requests.

Rule: order is kept, an update is never split, and a batch stays below the limits unless a single update alone is above.
Sizes are bytes of the request's real JSON: UTF-8, with the escapes that a JSON text inside a JSON string costs.
"""

from __future__ import annotations

from collections import deque

from everstep.protocol.limits import MAX_BATCH_BYTES, MAX_BATCH_UPDATES
from everstep.protocol.shapes import ErrorObject, OperationUpdate

_ENVELOPE_BYTES = 420  # keys, ids, type, action and options of one update; names are bounded by 256
_NAME_BYTES = 300


def encoded_bytes(text: str) -> int:
    """The length of `text` as a JSON string: UTF-8 bytes plus escapes of quotes and backslashes. An upper bound within 1 %."""
    plain = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    return plain + text.count('"') + text.count("\\") + text.count("\n")


def update_bytes(update: OperationUpdate) -> int:
    """An upper bound of the update's share of a checkpoint's body."""
    size = _ENVELOPE_BYTES + (_NAME_BYTES if update.name else 0)
    if update.payload is not None:
        size += encoded_bytes(update.payload)
    if update.error is not None:
        size += error_bytes(update.error)
    return size


def error_bytes(error: ErrorObject) -> int:
    """An upper bound of the error's share of a checkpoint's body."""
    texts = (error.error_message, error.error_type, error.error_data, *(error.stack_trace or ()))
    return 80 + sum(encoded_bytes(text) + 4 for text in texts if text)


def take_batch(queue: deque[tuple[OperationUpdate, int]]) -> list[OperationUpdate]:
    """Remove from the queue's front what the next request carries: at least one update if there is any.

    queue: updates with their sizes in bytes (`update_bytes`).
    Source: batch limits of the official Python SDK (250 updates, 750 KiB).
    """
    batch: list[OperationUpdate] = []
    size = 0
    while queue and len(batch) < MAX_BATCH_UPDATES:
        update, update_size = queue[0]
        if batch and size + update_size > MAX_BATCH_BYTES:
            break
        queue.popleft()
        batch.append(update)
        size += update_size
    return batch
