"""Functions whose workers ask for work, as runtimes on AWS Lambda do.

Rule: an invocation is given to one worker, and only that invocation's id can answer it. A call that its caller has given up
is forgotten: an answer to it is refused. Of the workers that ask, the one with most room is next; of equal ones the one that asked
last, since it is warm.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
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
    """A worker that waits for invocations, of whichever of its functions. free: its slots. came: set with the first that is given."""

    __slots__ = ("came", "free", "given")

    def __init__(self, slots: Sequence[str]) -> None:
        self.free = deque(slots)
        self.given: list[Taken] = []
        self.came: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take(self, pulled: Pulled, waiting: _Waiting) -> None:
        waiting.worker = self.free.popleft()
        self.given.append(Taken(waiting.worker, pulled, waiting.call))
        if not self.came.done():
            self.came.set_result(None)


class Taken(NamedTuple):
    """An invocation, and who has it now."""

    worker: str
    pulled: Pulled
    call: FunctionCall

    def put_back(self) -> None:
        """The worker went away before it got the invocation."""
        self.pulled.put_back(self.call.request_id)


class Source(NamedTuple):
    """What a worker serves. version: the only one that it serves, None: any."""

    pulled: Pulled
    version: str | None

    @property
    def waits(self) -> bool:
        """Whether a call for such a worker waits."""
        return self.pulled.waits_since(self.version) < inf


async def next_calls(sources: Sequence[Source], workers: Sequence[str]) -> Sequence[Taken]:
    """The next invocations, as soon as there is one: of all that is served, those that have waited longest, one for each worker at most.

    workers: or the slots of one. One that asks without having answered the last has failed at it.
    """
    asks = set(workers)
    for source in sources:
        source.pulled.gone(asks, failed(EXIT_ERROR, "The worker asked for its next invocation without answering this one"))
        for worker in workers:
            source.pulled.on_asked(worker)
    asking = _Asking(workers)
    while asking.free and (longest := min(sources, key=lambda source: source.pulled.waits_since(source.version))).waits:
        longest.pulled.give(asking, longest.version)
    for source in sources:
        source.pulled.ask(asking, source.version)
    try:
        await asking.came
    except asyncio.CancelledError:
        for taken in asking.given:
            taken.put_back()
        raise
    finally:
        for source in sources:
            source.pulled.ask_no_more(asking)
    return asking.given


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
        self._offer(waiting)
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

    def give(self, asking: _Asking, version: str | None) -> None:
        """Give it the call that has waited longest. There is one."""
        self._take(next(one for one in self._waiting.values() if version in (None, one.call.version)), asking)

    def ask_no_more(self, asking: _Asking) -> None:
        self._asking = [one for one in self._asking if one[0] is not asking]

    def waits_since(self, version: str | None) -> float:
        """A number that is the smaller the longer a call for such a worker waits."""
        return min((one.order for one in self._waiting.values() if version in (None, one.call.version)), default=inf)

    def put_back(self, request_id: str) -> None:
        """The worker went away before it got the invocation."""
        waiting = self._taken.pop(request_id, None)
        if waiting is not None and not waiting.answer.done():
            waiting.worker = None
            self._offer(waiting)

    def settle(self, request_id: str, outcome: str | FunctionError) -> FunctionCall | None:
        """What became of an invocation. None: nobody waits for that (any more)."""
        waiting = self._taken.pop(request_id, None)
        return waiting.call if waiting is not None and _set(waiting, outcome) else None

    def gone(self, workers: Collection[str], error: FunctionError) -> None:
        """What these workers have taken and not answered has failed."""
        for request_id in [one for one, waiting in self._taken.items() if waiting.worker in workers]:
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
        slots = {one.worker for one in self._taken.values() if one.worker is not None and one.worker.partition(".")[0] == worker}
        self.gone(slots, failed(EXIT_ERROR, "The worker that ran it is gone"))

    def fail_all(self, error: FunctionError) -> None:
        """What no worker has taken yet has failed: none will come."""
        for waiting in list(self._waiting.values()):
            _set(waiting, error)
        self._waiting.clear()

    # -- inside

    def _offer(self, waiting: _Waiting) -> None:
        """Give a call to a worker that asks, or say that there is none."""
        fitting = [asking for asking, serves in self._asking if asking.free and serves in (None, waiting.call.version)]
        if fitting:
            self._take(waiting, max(reversed(fitting), key=lambda asking: len(asking.free)))
        else:
            self._waiting[waiting.call.request_id] = waiting
            self.on_waiting()

    def _take(self, waiting: _Waiting, asking: _Asking) -> None:
        request_id = waiting.call.request_id
        self._waiting.pop(request_id, None)
        self._taken[request_id] = waiting
        asking.take(self, waiting)


def _set(waiting: _Waiting, outcome: str | FunctionError) -> bool:
    if waiting.answer.done():
        return False
    if isinstance(outcome, str):
        waiting.answer.set_result(outcome)
    else:
        waiting.answer.set_exception(outcome)
    return True
