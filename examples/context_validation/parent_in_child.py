"""What happens when a child context's code uses the context around it: it is told so, at the call.

The ids of operations depend on where they are called, so a mix-up would break replay; here it can't get that far.
"""

from __future__ import annotations

from everstep import DurableContext, UsageError, durable
from examples.run import run


async def water(plant: str) -> str:
    return f"{plant} watered"


@durable
async def water_garden(event: str, ctx: DurableContext) -> list[str]:
    async def wrong(child: DurableContext, plant: str) -> str:
        return await ctx.step(water, plant)  # everstep: allow[EVS016] it is shown that it is refused

    async def right(child: DurableContext, plant: str) -> str:
        return await child.step(water, plant)

    try:
        outcome = await ctx.run_in_child_context(wrong, event)
    except UsageError as error:
        outcome = f"refused: {str(error).split(':', maxsplit=1)[0]}"
    return [outcome, await ctx.run_in_child_context(right, event)]


if __name__ == "__main__":
    run(water_garden, "fern")
