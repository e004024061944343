"""The smallest handler: an event in, a result out, and no operation yet.

It is durable already: the execution is on record, and starting it again under the same name gives the same result.
"""

from __future__ import annotations

from everstep import DurableContext, durable
from examples.run import run


@durable
async def greet(event: str, ctx: DurableContext) -> str:
    return f"Hello, {event}!"


if __name__ == "__main__":
    run(greet, "world")
