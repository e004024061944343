"""A quorum: the write is good when two of three replicas have it.

The third is cancelled if it has not finished; in the result it is STARTED.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import Branch, Completion, DurableContext, durable
from examples.run import run


async def write(replica: str, value: str) -> str:
    return f"{replica} has {value!r}"


def replica(name: str, seconds: int, value: str) -> Branch[str]:
    async def body(child: DurableContext) -> str:
        await child.wait(timedelta(seconds=seconds), name="distance")
        return await child.step(write, name, value)

    return Branch(body, name=name)


@durable
async def store(event: str, ctx: DurableContext) -> list[str]:
    replicas = [replica("Vienna", 2, event), replica("Sydney", 9, event), replica("Porto", 3, event)]
    batch = await ctx.parallel(replicas, completion=Completion(min_successful=2))
    return [*batch, *(f"branch {item.index} {item.status}" for item in batch.started())]


if __name__ == "__main__":
    run(store, "v2")
