"""A block of several operations that is tried again as a whole, after a durable wait: `with_retry`.

When what failed can't be mended by repeating the last step alone. Each attempt is a context of its own.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, Retry, durable
from examples.run import run


class LockLost(Exception):
    """Somebody else has the machine now."""


async def lock(machine: str, attempt: int) -> int:
    return attempt


async def program(machine: str, lock_number: int) -> str:
    if lock_number < 3:
        raise LockLost(f"lock {lock_number} of {machine}")
    return f"{machine} programmed under lock {lock_number}"


async def lock_and_program(child: DurableContext, attempt: int, machine: str) -> str:
    lock_number = await child.step(lock, machine, attempt)
    await child.wait(timedelta(seconds=30), name="warms up")
    return await child.step(program, machine, lock_number, retry=Retry.none())


@durable
async def set_up(event: str, ctx: DurableContext) -> str:
    return await ctx.with_retry(lock_and_program, event, retry=Retry.fixed(timedelta(minutes=10), max_attempts=4))


if __name__ == "__main__":
    run(set_up, "lathe")
