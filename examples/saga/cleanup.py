"""A saga with clean-ups, which run whether it succeeds or fails, and a compensation that fails itself.

SagaError says what became of both: the first failure, and what could not be undone.
"""

from __future__ import annotations

from everstep import DurableContext, Retry, SagaError, durable
from examples.run import run


async def rent(thing: str) -> str:
    return thing


async def give_back(thing: str) -> str:
    return f"{thing} given back"


async def build(what: str) -> str:
    if what == "tower":
        raise RuntimeError("the tower fell over")
    return f"{what} built"


async def take_down(what: str) -> str:
    raise RuntimeError(f"the {what} can't be taken down")


@durable
async def build_set(event: list[str], ctx: DurableContext) -> list[str]:
    built: list[str] = []
    try:
        async with ctx.saga() as saga:
            crane = await ctx.step(rent, "crane")
            saga.cleanup(give_back, crane)
            for what in event:
                built.append(await ctx.step(build, what, retry=Retry.none()))
                saga.compensate(take_down, what, retry=Retry.none())
    except SagaError as error:
        return [f"because {error.cause}", *(str(failure) for failure in error.failures)]
    return built


if __name__ == "__main__":
    run(build_set, ["wall", "tower"])
