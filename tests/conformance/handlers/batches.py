"""What the handlers of parallel and map share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from everstep import BatchResult, DurableContext

T = TypeVar("T")


def returns(value: T) -> Callable[[DurableContext], Awaitable[T]]:
    """A branch that returns a value."""

    async def branch(child: DurableContext) -> T:
        return value

    return branch


def steps(value: T) -> Callable[[DurableContext], Awaitable[T]]:
    """A branch with a step that returns a value."""

    async def constant() -> T:
        return value

    async def branch(child: DurableContext) -> T:
        return await child.step(constant)

    return branch


async def fails(child: DurableContext) -> str:
    raise ValueError("this one fails")


def projection(batch: BatchResult[str], *, without: tuple[str, ...] = ()) -> dict[str, object]:
    """What a batch result says of itself, but for these members."""
    members: dict[str, object] = {
        "completionReason": batch.completion_reason,
        "status": batch.status,
        "successCount": batch.success_count,
        "failureCount": batch.failure_count,
        "totalCount": batch.total_count,
    }
    return {name: value for name, value in members.items() if name not in without}
