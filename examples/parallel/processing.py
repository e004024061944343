"""One announcement over four channels, by three rules: what can be reached, a quorum of channels, or all or nothing.

How strict a parallel is lies in its completion rule alone; branches and result stay the same.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from everstep import Completion, DurableContext, Retry, durable
from examples.run import run

RULES = {
    "best effort": Completion.all_completed(),
    "quorum": Completion(min_successful=2),
    "strict": Completion.all_successful(),
}
HOURS = {"mail": 1, "fax": 2, "courier": 24, "letter": 48}


async def send(channel: str) -> str:
    if channel == "fax":
        raise ConnectionError("no paper")
    return f"by {channel}"


async def announce_by(child: DurableContext, channel: str) -> str:
    await child.wait(timedelta(hours=HOURS[channel]))
    return await child.step(send, channel, retry=Retry.none())


@durable
async def announce(event: str, ctx: DurableContext) -> list[str]:
    branches = {channel: partial(announce_by, channel=channel) for channel in HOURS}
    sent = await ctx.parallel(branches, completion=RULES[event])
    return [sent.completion_reason, *sent.get_results(), *(str(error) for error in sent.get_errors())]


if __name__ == "__main__":
    run(announce, "quorum")
