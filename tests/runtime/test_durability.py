"""Durability modes: what is recorded when, and what a crash can cost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from everstep import DurableContext, UsageError, durable
from everstep.client.api import Checkpointed
from everstep.handler import DurableHandler
from everstep.protocol.limits import MAX_RESULT_SYNC
from everstep.protocol.shapes import OperationUpdate
from everstep.runtime.engine import Durability
from everstep.testing.virtual import run_virtually
from tests.support.loopback import AnyHandler, Fault, Faults, Loopback, Run


def run(durability: Durability, steps: int = 6, *, faults: Faults | None = None, latency_s: float = 0) -> tuple[Run, list[int], float]:
    ran: list[int] = []

    async def body(number: int) -> int:
        ran.append(number)
        return number

    async def handler(event: object, ctx: DurableContext) -> list[int]:
        return [await ctx.step(body, number) for number in range(steps)]

    async def main() -> tuple[Run, list[int], float]:
        loopback = Slow(DurableHandler(handler, durability=durability), faults=faults, latency_s=latency_s)
        done = await loopback.run()
        replayed = await loopback.replay()
        assert replayed.result == done.result
        return done, ran, round(loopback.seconds, 3)

    return run_virtually(main())


class Slow(Loopback):
    """A service that takes its time to answer."""

    def __init__(self, handler: AnyHandler, *, faults: Faults | None, latency_s: float) -> None:
        super().__init__(handler, faults=faults)
        self._latency_s = latency_s

    async def checkpoint(self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str) -> Checkpointed:
        await asyncio.sleep(self._latency_s)
        return await super().checkpoint(arn, token, updates, client_token)


def test_acknowledged_sends_a_short_step_in_one_call_and_waits_for_it() -> None:
    done, ran, seconds = run("acknowledged", latency_s=1)

    assert (done.calls, seconds, ran) == (6, 6, [0, 1, 2, 3, 4, 5])


def test_eager_sends_each_update_in_a_call_of_its_own() -> None:
    done, ran, seconds = run("eager", latency_s=1)

    assert (done.calls, seconds, ran) == (12, 12, [0, 1, 2, 3, 4, 5])
    assert done.result == "[0,1,2,3,4,5]"


def test_pipelined_goes_on_while_a_record_is_under_way_and_ends_when_all_are_there() -> None:
    done, ran, seconds = run("pipelined", latency_s=1)

    assert done.calls <= 2
    assert seconds <= 2
    assert ran == [0, 1, 2, 3, 4, 5]
    assert sum(event.type == "StepSucceeded" for event in done.events) == 6


@pytest.mark.parametrize("durability", ["acknowledged", "eager"])
@pytest.mark.parametrize("fault", ["lost request", "lost answer"])
def test_a_crash_costs_at_most_the_step_that_was_not_recorded(durability: Durability, fault: Fault) -> None:
    calls = run(durability)[0].calls
    for point in range(1, calls + 1):
        done, ran, _ = run(durability, faults={point: fault})
        assert done.result == "[0,1,2,3,4,5]"
        assert len(ran) <= 7
        assert [number for index, number in enumerate(ran) if number not in ran[:index]] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("fault", ["lost request", "lost answer"])
def test_a_crash_of_a_pipelined_execution_may_repeat_steps_and_loses_none(fault: Fault) -> None:
    for point in (1, 2):
        done, ran, _ = run("pipelined", faults={point: fault}, latency_s=1)
        assert done.result == "[0,1,2,3,4,5]"
        assert set(ran) == {0, 1, 2, 3, 4, 5}


def test_pipelined_time_is_the_same_on_a_replay() -> None:
    async def body() -> None: ...

    async def handler(event: object, ctx: DurableContext) -> list[str]:
        times: list[str] = []
        for _ in range(3):
            await ctx.step(body)
            times.append(ctx.now().isoformat())
        await ctx.wait(2)
        await asyncio.gather(ctx.step(body), ctx.step(body))
        return [*times, ctx.now().isoformat()]

    async def main() -> None:
        loopback = Slow(DurableHandler(handler, durability="pipelined"), faults=None, latency_s=1)
        done = await loopback.run()
        assert (await loopback.replay()).result == done.result

    run_virtually(main())


async def test_a_result_that_goes_by_a_call_of_its_own_waits_for_those_before_it() -> None:
    may_end = asyncio.Event()
    sent: list[str] = []

    async def first() -> None: ...

    async def second() -> None:
        await may_end.wait()

    @durable
    async def handler(event: object, ctx: DurableContext) -> str:
        steps = [asyncio.create_task(ctx.step(first)), asyncio.create_task(ctx.step(second))]
        await asyncio.wait(steps, return_when=asyncio.FIRST_COMPLETED)
        return "x" * MAX_RESULT_SYNC

    class SecondEndsMeanwhile(Loopback):
        async def checkpoint(self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str) -> Checkpointed:
            sent.extend(update.id for update in updates)
            answer = await super().checkpoint(arn, token, updates, client_token)
            if not may_end.is_set():
                may_end.set()
                for _ in range(3):
                    await asyncio.sleep(0)
            return answer

    await SecondEndsMeanwhile(handler).run()

    assert sent[-1] == "execution-result"


def test_another_mode_is_refused() -> None:
    async def handler(event: object, ctx: DurableContext) -> None: ...

    with pytest.raises(UsageError, match="durability is 'fast'"):
        durable(durability="fast")(handler)  # type: ignore[call-overload]  # there is no such mode
