"""Where snippets run: a service in memory, in virtual time, with people and functions around it who answer.

Rule: nothing takes real time, and everything is as it would be: the service and the engine are the real ones. Handlers keep
nothing warm, so that every resume replays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from everstep import DurableHandler, Service
from everstep.service.stores.memory import MemoryStore
from everstep.service.stores.urls import store_at
from everstep.testing.setup import BEGINNING
from everstep.testing.virtual import JumpingClock, run_virtually

T = TypeVar("T")


class VirtualService(Service):
    """A Service whose time is the loop's, and whose files are in memory, until `run_program` has ended."""

    def __init__(self, store: str | MemoryStore, **options: object) -> None:
        assert not options, "the documentation gives no options to Service(...) yet: pass on what it gives"
        self._loop_clock = JumpingClock(BEGINNING)
        super().__init__(_store_of(store) if isinstance(store, str) else store, clock=self._loop_clock)

    def register(self, function: Any, **options: Any) -> None:
        handler: object = function
        if isinstance(handler, DurableHandler):
            handler.clock = self._loop_clock.now
            handler.warm_executions = 0
        super().register(function, **options)

    async def __aenter__(self) -> Self:
        self.loop = asyncio.get_running_loop()
        self._loop_clock.run_on(self.loop)
        _running.append(self)
        return await super().__aenter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool | None:
        _running.remove(self)
        return await super().__aexit__(kind, error, trace)


def _store_of(url: str) -> MemoryStore:
    store = store_at(url)
    return store if isinstance(store, MemoryStore) else _files.setdefault(url, MemoryStore())


_files: dict[str, MemoryStore] = {}
_running: list[VirtualService] = []


def answer(callback_id: str, value: object, *, after_s: float = 60) -> None:
    """Somebody completes the callback after a while. An exception as the value is a failure that they report. Called in any thread."""
    service = _running[-1]
    service.loop.call_soon_threadsafe(lambda: _busy.add(service.loop.create_task(_answer(service, callback_id, value, after_s))))


_busy: set[asyncio.Task[None]] = set()


async def _answer(service: VirtualService, callback_id: str, value: object, after_s: float) -> None:
    await asyncio.sleep(after_s)
    if isinstance(value, Exception):
        await service.fail_callback(callback_id, value)
    else:
        await service.succeed_callback(callback_id, value)


def run_program(main: Coroutine[object, object, T]) -> T:
    """`asyncio.run` in virtual time."""
    try:
        return run_virtually(main)
    finally:
        _busy.clear()
        _files.clear()


async def run_execution(handler: DurableHandler[object, T], event: object, functions: Sequence[object]) -> T:
    """The handler's result. functions: what it may invoke besides. Raises ExecutionFailed."""
    async with VirtualService("memory://") as service:
        for function in (handler, *functions):
            if function is handler or getattr(function, "name", None) != handler.name:
                service.register(function)
        return await (await service.start(handler, event)).result()


async def run_over_a_deploy(
    before: DurableHandler[object, object], after: DurableHandler[object, T], event: object, deploy_after_s: float
) -> T:
    """The result of an execution that `before` begins and `after` ends: one service is shut down, another opens its store."""
    store = MemoryStore()
    async with VirtualService(store) as service:
        service.register(before, name="handler")
        arn = (await service.start(before, event)).arn
        await asyncio.sleep(deploy_after_s)
    async with VirtualService(store) as service:
        service.register(after, name="handler")
        return await service.execution(after, arn).result()
