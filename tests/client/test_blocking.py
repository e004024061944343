"""A blocking call stops nothing else that could run, and costs nothing where nothing could."""

from __future__ import annotations

import asyncio
import gc
import weakref
from threading import Event, Thread, current_thread, get_ident
from threading import enumerate as threads

import pytest

from everstep.client.blocking import Blocking

_others: set[Thread] = set()
"""Threads of what other tests in this process have left open."""


def workers() -> list[Thread]:
    """Those that a test of these has begun."""
    return [thread for thread in threads() if thread.name == "everstep-calls" and thread not in _others]


@pytest.fixture(autouse=True)
def others() -> None:
    _others.clear()
    _others.update(workers())


@pytest.fixture
def blocking() -> Blocking:
    return Blocking()


def test_alone_a_call_runs_on_the_thread_of_its_caller(blocking: Blocking) -> None:
    blocking.alone = lambda: True

    assert asyncio.run(blocking.run(get_ident)) == get_ident()
    assert not workers()


def test_the_loop_goes_on_while_a_call_blocks(blocking: Blocking) -> None:
    released = Event()

    async def main() -> list[str]:
        seen: list[str] = []
        async with asyncio.TaskGroup() as group:
            call = group.create_task(blocking.run(lambda: released.wait(5)))
            await asyncio.sleep(0)
            seen.append("the loop went on")
            released.set()
        seen.append(f"released: {call.result()}")
        return seen

    assert asyncio.run(main()) == ["the loop went on", "released: True"]


def test_one_call_after_another_needs_one_thread(blocking: Blocking) -> None:
    async def main() -> set[int]:
        return {await blocking.run(get_ident) for _ in range(50)}

    assert len(asyncio.run(main())) == 1
    assert len(workers()) == 1


def test_calls_at_the_same_time_get_threads_up_to_the_limit() -> None:
    blocking = Blocking(max_threads=2)
    both_run, released = Event(), Event()
    running: set[str] = set()

    def call() -> int:
        running.add(current_thread().name + str(get_ident()))
        if len(running) == 2:
            both_run.set()
        released.wait(5)
        return get_ident()

    async def main() -> set[int]:
        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(blocking.run(call)) for _ in range(5)]
            await asyncio.sleep(0)
            assert both_run.wait(5)
            released.set()
        return {call.result() for call in calls}

    assert len(asyncio.run(main())) == 2


def test_an_error_reaches_whoever_waits(blocking: Blocking) -> None:
    def fail() -> None:
        raise ConnectionError("no route")

    with pytest.raises(ConnectionError, match="no route"):
        asyncio.run(blocking.run(fail))

    assert asyncio.run(blocking.run(lambda: 1)) == 1


def test_a_cancelled_wait_leaves_the_call_to_end_by_itself(blocking: Blocking) -> None:
    started, released, ended = Event(), Event(), Event()

    def call() -> None:
        started.set()
        released.wait(5)
        ended.set()

    async def main() -> None:
        waiting = asyncio.create_task(blocking.run(call))
        await asyncio.sleep(0)
        assert started.wait(5)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        released.set()
        assert await blocking.run(lambda: 2) == 2  # meanwhile, in a second thread

    asyncio.run(main())

    assert ended.wait(5)


def test_it_serves_one_loop_after_another(blocking: Blocking) -> None:
    released = Event()

    async def leave_one_behind() -> None:
        waiting = asyncio.create_task(blocking.run(lambda: released.wait(5)))
        await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(leave_one_behind())
    released.set()

    assert asyncio.run(blocking.run(lambda: 3)) == 3


def test_closed_it_lets_its_thread_end_and_starts_another_on_demand(blocking: Blocking) -> None:
    asyncio.run(blocking.run(get_ident))
    (thread,) = workers()

    blocking.close()

    thread.join(5)
    assert not thread.is_alive()
    assert asyncio.run(blocking.run(lambda: 4)) == 4


def test_dropped_it_lets_its_thread_end() -> None:
    asyncio.run(Blocking().run(get_ident))

    gc.collect()
    for thread in workers():
        thread.join(5)

    assert not workers()


def test_a_result_is_not_kept_alive_by_an_idle_thread(blocking: Blocking) -> None:
    class Result:
        pass

    async def main() -> weakref.ref[Result]:
        return weakref.ref(await blocking.run(Result))

    gone = asyncio.run(main())
    asyncio.run(blocking.run(get_ident))
    gc.collect()

    assert gone() is None
