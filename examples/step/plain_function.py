"""Steps that are plain functions: they run in a thread, so they may block and compute.

For libraries that know nothing of asyncio. Any callable will do, methods and partials included.
"""

from __future__ import annotations

import hashlib
from functools import partial

from everstep import DurableContext, durable
from examples.run import run


def fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Archive:
    def __init__(self, place: str) -> None:
        self.place = place

    def keep(self, digest: str) -> str:
        return f"{digest[:8]} in {self.place}"


@durable
async def archive(event: str, ctx: DurableContext) -> list[str]:
    digest = await ctx.step(fingerprint, event)
    kept = await ctx.step(Archive("vault 3").keep, digest)
    short = await ctx.step(partial(str.__getitem__, digest, slice(4)), name="shorten")
    return [kept, short]


if __name__ == "__main__":
    run(archive, "the deed of the house")
