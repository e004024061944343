"""A machine's clock that is set while executions run: nothing fires early by the clock that is right, and nothing is lost."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import cast

from everstep import DurableContext, durable
from everstep.service.clock import WallClock
from everstep.service.embedded import Service

HOUR_MS = 3_600_000


class SetClock(WallClock):
    """The machine's clock, wrong by so much."""

    offset_ms = 0

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.offset_ms


async def one() -> int:
    return 1


@durable
async def napping(event: int, ctx: DurableContext) -> int:
    first = await ctx.step(one)
    await ctx.wait(event)
    return first + await ctx.step(one)


async def until_it_naps(service: Service, arn: str) -> None:
    while "WaitStarted" not in [event["EventType"] for event in await service.history(arn)]:
        pass


async def test_a_clock_that_jumps_forwards_ends_at_once_what_would_have_ended_meanwhile(tmp_path: Path) -> None:
    clock = SetClock()
    async with Service(f"sqlite:///{tmp_path}/store.db", clock=clock) as service:
        long = await service.start(napping, 3000)
        longer = await service.start(napping, 30_000)
        await until_it_naps(service, long.arn)
        clock.offset_ms = HOUR_MS

        assert await asyncio.wait_for(long.result(), 5) == 2
        assert (await service.describe(longer.arn)).status == "RUNNING"


async def test_a_clock_that_jumps_backwards_holds_up_until_it_is_right_again_and_times_never_go_back(tmp_path: Path) -> None:
    clock = SetClock()
    async with Service(f"sqlite:///{tmp_path}/store.db", clock=clock) as service:
        begun = await service.start(napping, 1)
        await until_it_naps(service, begun.arn)
        clock.offset_ms = -HOUR_MS
        meanwhile = await service.start(napping, 1)

        assert await asyncio.wait_for(meanwhile.result(), 5) == 2
        assert (await service.describe(begun.arn)).status == "RUNNING"
        clock.offset_ms = 0
        assert await asyncio.wait_for(begun.result(), 5) == 2
        for execution in (begun, meanwhile):
            stamps = [cast("int", event["EventTimestamp"]) for event in await service.history(execution.arn)]
            assert stamps == sorted(stamps)
