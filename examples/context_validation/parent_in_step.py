"""What happens when the body of a step calls an operation: steps can't hold operations, and say so.

What needs both is a child context: its code may use steps, waits and everything else.
"""

from __future__ import annotations

from everstep import DurableContext, UsageError, durable
from examples.run import run


async def light(oven: str) -> str:
    return f"{oven} lit"


async def put_in(bread: str) -> str:
    return f"{bread} in the oven"


@durable
async def bake(event: str, ctx: DurableContext) -> list[str]:
    async def wrong(bread: str) -> str:
        return await ctx.step(put_in, bread)  # everstep: allow[EVS014] it is shown that it is refused

    async def right(child: DurableContext, bread: str) -> str:
        return await child.step(put_in, bread)

    lit = await ctx.step(light, "wood oven")
    try:
        outcome = await ctx.step(wrong, event)
    except UsageError as error:  # which no retry would mend, so none is made
        outcome = f"refused: {str(error).split(':', maxsplit=1)[0]}"
    return [lit, outcome, await ctx.run_in_child_context(right, event)]


if __name__ == "__main__":
    run(bake, "rye bread")
