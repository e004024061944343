"""What the operations work on: the service, its functions, and what goes on beside requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import TypeVar

from everstep.errors import ServiceError, UsageError
from everstep.server.call_sites import CallSites
from everstep.server.catalog import Catalog
from everstep.server.counts import Counts
from everstep.server.errors import ApiError, api_error
from everstep.server.metrics import Metrics
from everstep.service.embedded import Service
from everstep.service.engine import Engine
from everstep.service.machine.rejection import Rejected

T = TypeVar("T")

log = logging.getLogger("everstep.server")


class Backend:
    """allow_unqualified: let durable functions be invoked without a qualifier, which then is `$LATEST`."""

    def __init__(self, service: Service, catalog: Catalog, metrics: Metrics, *, allow_unqualified: bool = False) -> None:
        self.service, self.catalog, self.metrics = service, catalog, metrics
        self.allow_unqualified = allow_unqualified
        self.closing = asyncio.Event()
        """Set when the server stops: whoever waits for something that may take long gives up then."""
        self.counts, self.call_sites = Counts(), CallSites()
        self._group: asyncio.TaskGroup | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: set[asyncio.Task[object]] = set()

    @property
    def engine(self) -> Engine:
        return self.service.engine

    @property
    def is_started(self) -> bool:
        return self._group is not None

    def now_ms(self) -> int:
        return self.engine.clock.now_ms()

    def refusal(self, error: Exception) -> ApiError:
        """What is said about an error. Of our own faults that is little: they are logged."""
        if isinstance(error, ApiError):
            return error
        if isinstance(error, Rejected | ServiceError):
            refusal = api_error(error)
            if refusal.status == 500:
                log.warning("a request could not be served: %s", error)
            return refusal
        if isinstance(error, UsageError) and self.closing.is_set():
            return ApiError("ServiceException", "The server is stopping.")
        log.error("a request failed", exc_info=error)
        return ApiError("ServiceException", "An internal error occurred.")

    async def until_closing(self, work: Coroutine[object, object, T], said: str = "The server is stopping.") -> T:
        """What the work comes to. Raises ApiError if the server stops first. said: of that."""
        task = asyncio.current_task()
        assert task is not None
        if self.closing.is_set():
            work.close()
            raise ApiError("ServiceException", said)
        self._waiting.add(task)
        try:
            return await work
        except asyncio.CancelledError:
            if self.closing.is_set() and not task.uncancel():  # as asyncio.timeout does it: nobody else has cancelled it
                raise ApiError("ServiceException", said) from None
            raise
        finally:
            self._waiting.discard(task)

    def start(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self.metrics.watch(self.catalog, self.engine.running_invocations)

    def stop(self) -> None:
        """Let go of everything that waits."""
        self._group = None
        self.closing.set()
        for task in (*self._tasks, *self._waiting):
            task.cancel()

    def in_background(self, work: Coroutine[object, object, None], name: str) -> None:
        """Do something that nobody waits for. It ends with the server at the latest."""
        if self._group is None:
            work.close()
            return
        task = self._group.create_task(_logged(work, name), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _logged(work: Coroutine[object, object, None], name: str) -> None:
    try:
        await work
    except Exception:
        log.exception("%s failed", name)
