from __future__ import annotations

import asyncio
from threading import Barrier, Event, Thread, current_thread
from threading import enumerate as all_threads
from time import sleep

from everstep import DurableContext, Retry
from everstep.threads import Threads
from tests.support.handlers import run_handler


def running(name: str) -> int:
    return sum(thread.name == name for thread in all_threads())


async def test_calls_that_wait_get_threads_up_to_the_limit() -> None:
    threads = Threads(20, "up-to-the-limit")
    all_run = Barrier(20)

    await asyncio.gather(*(threads.submit(all_run.wait, 10) for _ in range(40)))

    assert running("up-to-the-limit") == 20
    threads.shutdown()


async def test_short_calls_need_few_threads() -> None:
    threads = Threads(64, "short-calls")

    names = await asyncio.gather(*(threads.submit(lambda: current_thread().name) for _ in range(200)))

    assert set(names) == {"short-calls"}
    assert running("short-calls") < 64
    threads.shutdown()


async def test_short_calls_that_are_asked_for_together_need_one_thread() -> None:
    threads = Threads(64, "short-together", are_short=True)

    names = await asyncio.gather(*(threads.submit(current_thread) for _ in range(20)))

    assert len(set(names)) == 1
    threads.shutdown()


async def test_many_short_calls_need_one_thread_however_long_they_take_together() -> None:
    threads = Threads(64, "short-and-many", are_short=True)

    def call() -> Thread:
        sum(range(200))
        return current_thread()

    names = await asyncio.gather(*(threads.submit(call) for _ in range(2_000)))

    assert len(set(names)) == 1
    threads.shutdown()


async def test_what_a_short_call_came_to_does_not_wait_for_the_long_one_behind_it() -> None:
    threads = Threads(1, "long-behind", are_short=True)
    may_end = Event()

    short = [threads.submit(int, str(number)) for number in range(10)]
    long = threads.submit(may_end.wait, 10)
    behind = threads.submit(int, "10")

    assert await asyncio.gather(*short) == list(range(10))
    assert not long.done()
    may_end.set()
    assert await behind == 10
    assert await long
    threads.shutdown()


def test_a_loop_that_stands_still_for_a_while_does_not_take_calls_for_long_ones() -> None:
    threads = Threads(64, "still", are_short=True)
    loop = asyncio.new_event_loop()

    async def together() -> set[Thread]:
        return set(await asyncio.gather(*(threads.submit(current_thread) for _ in range(50))))

    first = loop.run_until_complete(together())
    sleep(0.01)

    assert loop.run_until_complete(together()) == first
    assert len(first) == 1
    loop.close()
    threads.shutdown()


async def test_calls_that_are_not_short_after_all_get_threads_up_to_the_limit() -> None:
    threads = Threads(20, "not-short", are_short=True)

    for _ in range(3):
        all_run = Barrier(20)
        await asyncio.gather(*(threads.submit(all_run.wait, 10) for _ in range(40)))
        await asyncio.gather(*(threads.submit(int) for _ in range(40)))

    assert running("not-short") == 20
    threads.shutdown()


def test_one_pool_serves_one_loop_after_another() -> None:
    threads = Threads(2, "loop-after-loop")

    async def main() -> list[int]:
        return await asyncio.gather(*(threads.submit(int, str(number)) for number in range(10)))

    assert [asyncio.run(main()) for _ in range(3)] == [list(range(10))] * 3
    threads.shutdown()


def test_as_many_plain_steps_run_at_once_as_are_asked_for() -> None:
    all_run = Barrier(50)

    def body(number: int) -> int:
        all_run.wait(10)
        return number

    async def handler(event: object, ctx: DurableContext) -> int:
        return sum(await asyncio.gather(*(ctx.step(body, number) for number in range(50))))

    assert run_handler(handler).result == sum(range(50))


def test_a_plain_step_that_raises_stop_iteration_fails() -> None:
    def first_of_none() -> object:
        return next(iter([]))

    async def handler(event: object, ctx: DurableContext) -> list[str]:
        steps = (ctx.step(first_of_none, retry=Retry.none()) for _ in range(2))
        return [str(error) for error in await asyncio.gather(*steps, return_exceptions=True)]

    assert run_handler(handler).result == ["a function raised StopIteration"] * 2
