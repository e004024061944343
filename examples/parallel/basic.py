"""A parallel: different functions at the same time, each in a context of its own and under a name.

The mapping's keys are the names in the history; results come in its order.
"""

from __future__ import annotations

from everstep import DurableContext, durable
from examples.run import run


async def do(what: str) -> str:
    return f"{what} done"


async def kitchen(child: DurableContext) -> str:
    await child.step(do, "dishes")
    return await child.step(do, "kitchen")


async def garden(child: DurableContext) -> str:
    return await child.step(do, "garden")


async def windows(child: DurableContext) -> str:
    return await child.step(do, "windows")


@durable
async def clean_house(event: None, ctx: DurableContext) -> list[str]:
    done = await ctx.parallel({"kitchen": kitchen, "garden": garden, "windows": windows}, name="spring cleaning")
    done.throw_if_error()
    return done.get_results()


if __name__ == "__main__":
    run(clean_house, None)
