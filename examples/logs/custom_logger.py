"""The handler's logger: silent while code is replayed, so that each line comes once, and its records know where they are from.

It is the standard library's `everstep.handler`: handlers, levels and formatters of one's own are set as for any logger.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TypeAlias

from everstep import DurableContext, durable
from examples.run import run

Log: TypeAlias = "logging.LoggerAdapter[logging.Logger]"
ordinary = logging.getLogger("darkroom")


async def develop(film: str, log: Log) -> str:
    log.info("in the bath")  # with operationName and attempt, for a step says it
    return f"{film} developed"


@durable(warm_executions=0)  # every resume replays, as it does after a restart
async def develop_film(event: str, ctx: DurableContext) -> str:
    ctx.logger.info("%s came in", event, extra={"film": event})
    ordinary.info("an ordinary logger speaks again on every replay")
    developed = await ctx.step(develop, event, ctx.logger)
    await ctx.wait(timedelta(hours=3), name="drying")
    ctx.logger.info("%s is dry", event)
    return developed


if __name__ == "__main__":
    lines = logging.StreamHandler()
    lines.setFormatter(logging.Formatter("%(name)s: %(message)s [%(operationName)s]", defaults={"operationName": ""}))
    logging.basicConfig(level=logging.INFO, handlers=[lines])
    run(develop_film, "film 36")
