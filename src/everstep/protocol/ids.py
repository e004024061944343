"""Operation identifiers: the same position in the same code always gets the same id.

Rule: an id depends on where an operation stands in the program (its context's prefix and a counter), never on when it
ran. The algorithm for contexts, operations and branches is the official Python SDK's, so that either SDK can finish
an execution that the other began. Tasks and timers, which that SDK does not have, hash strings it never produces.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b


@lru_cache(maxsize=16_384)
def hashed(position: str) -> str:
    """The id of a position: BLAKE2b with its full digest, cut to 64 hexadecimal characters."""
    return blake2b(position.encode()).hexdigest()[:64]


def operation_id(prefix: str, number: int) -> str:
    """The id of the `number`-th operation (from 1) of a scope. prefix: "" at the root, else the owning operation's id."""
    return hashed(f"{prefix}-{number}" if prefix else str(number))


def branch_id(batch_id: str, index: int) -> str:
    """The id of branch `index` (from 0) of a map or parallel."""
    return hashed(f"{batch_id}-{index}")


def task_prefix(prefix: str, number: int) -> str:
    """The prefix of the ids inside the `number`-th task (from 1) that a scope's code has created."""
    return hashed(f"{prefix}-task-{number}")


def timer_id(prefix: str, number: int) -> str:
    """The id of the `number`-th timer (from 1) that asyncio set inside a scope."""
    return hashed(f"{prefix}-timer-{number}")


def keyed_id(prefix: str, key: str) -> str:
    """The id of an operation that has a key of its own within a context, wherever it stands."""
    return hashed(f"{prefix}-key-{key}")


def execution_id(arn: str) -> str:
    """The id of the EXECUTION operation: the last segment of the execution's ARN."""
    return arn.rsplit("/", 1)[-1]
