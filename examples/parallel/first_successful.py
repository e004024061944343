"""The first branch that succeeds is enough: failures before it don't count, and the slower ones are cancelled.

For several sources of the same thing.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import Branch, Completion, DurableContext, Retry, durable
from examples.run import run


async def download(mirror: str) -> str:
    if mirror == "near":
        raise ConnectionError("the near mirror is down")
    return f"map tiles from the {mirror} mirror"


def fetch_from(mirror: str, minutes: int) -> Branch[str]:
    async def fetch(child: DurableContext) -> str:
        await child.wait(timedelta(minutes=minutes), name="in the queue")
        return await child.step(download, mirror, retry=Retry.none())

    return Branch(fetch, name=mirror)


@durable
async def fetch_tiles(event: dict[str, int], ctx: DurableContext) -> str:
    batch = await ctx.parallel([fetch_from(*mirror) for mirror in event.items()], completion=Completion.first_successful())
    if not batch.succeeded():
        batch.throw_if_error()
    (tiles,) = batch
    return f"{tiles}; {batch.failure_count} failed, {batch.started_count} given up"


if __name__ == "__main__":
    run(fetch_tiles, {"near": 1, "far": 20, "farther": 90})
