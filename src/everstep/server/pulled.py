"""Functions whose workers ask for work, as runtimes on AWS Lambda do.

Rule: an invocation is given to one worker, and only that invocation's id can answer it. A call that its caller has given up
is forgotten: an answer to it is refused. Workers that ask are served in turn, the one that asked last first, since it is warm.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from math import inf
from typing import Final, NamedTuple

from everstep.server.code import EXIT_ERROR, FunctionCall, failed
from everstep.service.functions import FunctionError

_order: Final = count()


class _Waiting:
    """A call, from when it is asked for until it is answered. worker: that has taken it, None while nobody has. order: of arrival."""

    __slots__ = ("answer", "call", "order", "worker")

    def __init__(self, call: FunctionCall) -> None:
        self.call = call
        self.worker: str | None = None
        self.order = next(_order)
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()


class _Asking:
    """A worker that waits for its next invocation, of whichever of its functions."""

    __slots__ = ("given", "worker")

    def __init__(self, worker: str) -> None:
        self.worker = worker
        self.given: asyncio.Future[tuple[Pulled, _Waiting]] = asyncio.get_running_loop().create_future()


class Source(NamedTuple):
    """What a worker serves. version: the only one that it serves, None: any."""

    pulled: Pulled
    version: str | None


async def next_call(sources: Sequence[Source], worker: str) -> tuple[Pulled, FunctionCall]:
    """The worker's next invocation: of all that it serves, the one that has waited longest.

    A worker that asks without having answered the last has failed at it.
    """
    for source in sources:
        source.pulled.gone(worker, failed(EXIT_ERROR, "The worker asked for its next invocation without answering this one"))
        source.pulled.on_asked(worker)
    asking = _Asking(worker)
    for source in sorted(sources, key=lambda source: source.pulled.waits_since(source.version)):
        source.pulled.ask(asking, source.version)
    try:
        pulled, waiting = await asking.given
    except asyncio.CancelledError:
        if asking.given.done() and not asking.given.cancelled():
            pulled, waiting = asking.given.result()
            pulled.put_back(waiting.call.request_id)
        raise
    finally:
        for source in sources:
            source.pulled.ask_no_more(asking)
    return pulled, waiting.call


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
        self._asking: list[tuple[_Asking, str | None]] = []
        self._present: Counter[str] = Counter()
        self.ended = asyncio.Event()
        """Set when the function is not served any more."""

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
        self.ended.set()
        self.fail_all(failed(EXIT_ERROR, f"{self.name} is not served any more"))

    # -- what workers do

    def ask(self, asking: _Asking, version: str | None) -> None:
        self._asking.append((asking, version))
        self._match()

    def ask_no_more(self, asking: _Asking) -> None:
        self._asking = [one for one in self._asking if one[0] is not asking]

    def waits_since(self, version: str | None) -> float:
        """A number that is the smaller the longer a call for such a worker waits."""
        return min((one.order for one in self._waiting.values() if version in (None, one.call.version)), default=inf)

    def put_back(self, request_id: str) -> None:
        """The worker went away before it got the invocation."""
        waiting = self._taken.get(request_id)
        if waiting is not None:
            self._put_back(waiting)

    def settle(self, request_id: str, outcome: str | FunctionError) -> bool:
        """What became of an invocation. Whether anybody still waits for that."""
        waiting = self._taken.pop(request_id, None)
        return waiting is not None and _set(waiting, outcome)

    def gone(self, worker: str, error: FunctionError) -> None:
        """What the worker has taken and not answered has failed."""
        for request_id in [one for one, waiting in self._taken.items() if waiting.worker == worker]:
            self.settle(request_id, error)

    def arrived(self, worker: str) -> None:
        """The worker is there, until it `departed` as often as it arrived."""
        self._present[worker] += 1

    def departed(self, worker: str) -> None:
        self._present[worker] -= 1
        if not self._present[worker]:
            del self._present[worker]

    def miss(self, worker: str) -> None:
        """If the worker is not there any more, what it has taken in any of its slots (WORKER.1, WORKER.2, …) has failed."""
        if worker in self._present:
            return
        for slot in {one.worker for one in self._taken.values() if one.worker is not None and one.worker.partition(".")[0] == worker}:
            self.gone(slot, failed(EXIT_ERROR, "The worker that ran it is gone"))

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
                del self._waiting[request_id]
                self._taken[request_id] = waiting
                waiting.worker = asking.worker
                asking.given.set_result((self, waiting))

    def _pick(self, version: str) -> _Asking | None:
        fitting = [asking for asking, serves in self._asking if serves in (None, version) and not asking.given.done()]
        return fitting[-1] if fitting else None

    def _put_back(self, waiting: _Waiting) -> None:
        request_id = waiting.call.request_id
        if self._taken.pop(request_id, None) is not None and not waiting.answer.done():
            waiting.worker = None
            self._waiting[request_id] = waiting
            self._match()
            if request_id in self._waiting:
                self.on_waiting()


def _set(waiting: _Waiting, outcome: str | FunctionError) -> bool:
    if waiting.answer.done():
        return False
    if isinstance(outcome, str):
        waiting.answer.set_result(outcome)
    else:
        waiting.answer.set_exception(outcome)
    return True
