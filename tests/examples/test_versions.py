"""Handlers that change while their executions run, as the examples of versions do."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TypeVar

from examples.versions import keys, patched

from everstep import DurableHandler, Service
from everstep.service.stores.memory import MemoryStore
from everstep.testing.setup import BEGINNING
from everstep.testing.virtual import JumpingClock, run_virtually

In = TypeVar("In")
Out = TypeVar("Out")


def change_over(before: DurableHandler[In, Out], now: DurableHandler[In, Out], event: In, *, after: timedelta) -> tuple[Out, int]:
    """What an execution comes to that begins under one handler and goes on under another; and how many steps ran in all."""

    async def main() -> tuple[Out, int]:
        store, clock = MemoryStore(), JumpingClock(BEGINNING)
        clock.run_on(asyncio.get_running_loop())
        before.clock = now.clock = clock.now
        async with Service(store, clock=clock) as service:
            service.register(before)
            execution = await service.start(before, event)
            await asyncio.sleep(after.total_seconds())
        async with Service(store, clock=clock) as service:
            service.register(now)
            result = await service.execution(now, execution.arn).result()
            history = await service.history(execution.arn)
        return result, [event["EventType"] for event in history].count("StepSucceeded")

    return run_virtually(main())


def test_an_execution_under_way_keeps_the_old_path_where_it_is_past_a_patch() -> None:
    result, _ = change_over(patched.before, patched.pay_rent, 700, after=timedelta(days=15))

    assert result == ["700 by cheque", "700 by transfer"]


def test_an_execution_that_is_past_every_patch_keeps_the_old_path() -> None:
    result, _ = change_over(patched.before, patched.pay_rent, 700, after=timedelta(days=45))

    assert result == ["700 by cheque", "700 by cheque"]


def test_operations_with_keys_are_found_again_in_another_order() -> None:
    result, steps = change_over(keys.before, keys.water_plants, ["rose", "fern"], after=timedelta(hours=5))

    assert result == ["fern watered", "rose watered", "cactus watered"]
    assert steps == 3
