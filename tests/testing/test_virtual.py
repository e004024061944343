"""Time that jumps."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from everstep.testing.virtual import JumpingClock, VirtualRunner, run_virtually


def test_virtual_time_waits_for_threads() -> None:
    order: list[str] = []

    async def main() -> float:
        loop = asyncio.get_running_loop()
        loop.call_later(3600, order.append, "an hour")
        await asyncio.to_thread(time.sleep, 0.02)
        order.append("thread")
        await asyncio.sleep(3600)
        return loop.time()

    now = run_virtually(main())

    assert order == ["thread", "an hour"]
    assert now == pytest.approx(3600, abs=1)


def test_virtual_time_passes_even_after_many_months() -> None:
    async def main() -> float:
        for days in (100, 266, 0.001, 366):
            await asyncio.sleep(timedelta(days=days).total_seconds())
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == pytest.approx(timedelta(days=732.001).total_seconds())


def test_virtual_time_waits_for_sockets() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"hello\n")
        writer.close()

    async def main() -> bytes:
        server = await asyncio.start_server(answer, "127.0.0.1")
        async with server, asyncio.timeout(10):  # which would be over at once, if time jumped
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"hi\n")
            said = await reader.readline()
            writer.close()
            await writer.wait_closed()
            return said

    assert run_virtually(main()) == b"hello\n"


def test_a_clock_goes_on_where_it_was_on_another_loop() -> None:
    clock = JumpingClock(datetime(2026, 1, 1, tzinfo=UTC))
    began = clock.now()

    async def an_hour() -> None:
        clock.run_on(asyncio.get_running_loop())
        await asyncio.sleep(3600)
        clock.jump_to(clock.now_ms() + 1000)
        clock.jump_to(0)
        clock.stop()

    run_virtually(an_hour())
    run_virtually(an_hour())

    assert clock.now() - began == pytest.approx(2 * 3601)


def test_a_runner_can_be_closed_and_used_again() -> None:
    async def thread() -> int:
        return await asyncio.to_thread(lambda: 4)

    runner = VirtualRunner()

    assert runner.run(thread()) == 4
    runner.close()
    runner.close()
    assert runner.run(thread()) == 4
    del runner
