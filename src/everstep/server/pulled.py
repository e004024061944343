"""Functions whose workers ask for work, one invocation at a time, as runtimes on AWS Lambda do.

Rule: an invocation is given to one worker, and only that invocation's id can answer it. A call that its caller has given up
is forgotten: an answer to it is refused. Workers that ask are served in turn, the one that asked last first, since it is warm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from everstep.server.code import EXIT_ERROR, FunctionCall, failed
from everstep.service.functions import FunctionError


class _Waiting:
    """A call, from when it is asked for until it is answered. worker: that has taken it, None while nobody has."""

    __slots__ = ("answer", "call", "worker")

    def __init__(self, call: FunctionCall) -> None:
        self.call = call
        self.worker: str | None = None
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()


class _Asking:
    """A worker that waits for its next invocation. version: the only one that it serves, None: any."""

    __slots__ = ("given", "version", "worker")

    def __init__(self, worker: str, version: str | None) -> None:
        self.worker, self.version = worker, version
        self.given: asyncio.Future[_Waiting] = asyncio.get_running_loop().create_future()


class Pulled:
    """Code that workers run. on_waiting: called when a call finds no worker that asks."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.on_waiting: Callable[[], None] = lambda: None
        self.on_asked: Callable[[str], None] = lambda worker: None
        """Called with each worker that asks for an invocation."""
        self.on_abandoned: Callable[[str], None] = lambda worker: None
        """Called with the worker that runs a call which its caller has given up."""
        self._waiting: dict[str, _Waiting] = {}  # by request id, not taken yet
        self._taken: dict[str, _Waiting] = {}
        self._asking: list[_Asking] = []

    @property
    def waiting(self) -> int:
        """How many calls no worker has taken yet."""
        return len(self._waiting)

    @property
    def asking(self) -> int:
        """How many workers wait for their next invocation."""
        return len(self._asking)

    async def call(self, call: FunctionCall) -> str:
        """See Code."""
        waiting = _Waiting(call)
        self._waiting[call.request_id] = waiting
        self._match()
        if call.request_id in self._waiting:
            self.on_waiting()
        try:
            return await waiting.answer
        finally:
            self._waiting.pop(call.request_id, None)
            if self._taken.pop(call.request_id, None) is not None and waiting.worker is not None:
                self.on_abandoned(waiting.worker)

    async def close(self) -> None:
        self.fail_all(failed(EXIT_ERROR, f"{self.name} is not served any more"))

    # -- what workers do

    async def next(self, worker: str, version: str | None = None) -> FunctionCall:
        """The worker's next invocation. One that asks without having answered the last has failed at it."""
        self.gone(worker, failed(EXIT_ERROR, "The worker asked for its next invocation without answering this one"))
        self.on_asked(worker)
        asking = _Asking(worker, version)
        self._asking.append(asking)
        self._match()
        try:
            return (await asking.given).call
        except asyncio.CancelledError:
            if asking.given.done() and not asking.given.cancelled():
                self._put_back(asking.given.result())
            raise
        finally:
            if asking in self._asking:
                self._asking.remove(asking)

    def put_back(self, request_id: str) -> None:
        """The worker went away before it got the invocation."""
        waiting = self._taken.get(request_id)
        if waiting is not None:
            self._put_back(waiting)

    def answer(self, request_id: str, text: str) -> bool:
        """Whether the invocation still waits for an answer."""
        return self._settle(request_id, text)

    def fail(self, request_id: str, error: FunctionError) -> bool:
        """Whether the invocation still waits for an answer."""
        return self._settle(request_id, error)

    def gone(self, worker: str, error: FunctionError) -> None:
        """What the worker has taken and not answered has failed."""
        for request_id in [one for one, waiting in self._taken.items() if waiting.worker == worker]:
            self.fail(request_id, error)

    def fail_all(self, error: FunctionError) -> None:
        """What no worker has taken yet has failed: none will come."""
        for waiting in list(self._waiting.values()):
            _set(waiting, error)
        self._waiting.clear()

    # -- inside

    def _match(self) -> None:
        for request_id, waiting in list(self._waiting.items()):
            asking = self._pick(waiting.call.version)
            if asking is not None:
                self._asking.remove(asking)
                del self._waiting[request_id]
                self._taken[request_id] = waiting
                waiting.worker = asking.worker
                asking.given.set_result(waiting)

    def _pick(self, version: str) -> _Asking | None:
        fitting = [asking for asking in self._asking if asking.version in (None, version) and not asking.given.done()]
        return fitting[-1] if fitting else None

    def _put_back(self, waiting: _Waiting) -> None:
        request_id = waiting.call.request_id
        if self._taken.pop(request_id, None) is not None and not waiting.answer.done():
            waiting.worker = None
            self._waiting[request_id] = waiting
            self._match()
            if request_id in self._waiting:
                self.on_waiting()

    def _settle(self, request_id: str, outcome: str | FunctionError) -> bool:
        waiting = self._taken.pop(request_id, None)
        return waiting is not None and _set(waiting, outcome)


def _set(waiting: _Waiting, outcome: str | FunctionError) -> bool:
    if waiting.answer.done():
        return False
    if isinstance(outcome, str):
        waiting.answer.set_result(outcome)
    else:
        waiting.answer.set_exception(outcome)
    return True
