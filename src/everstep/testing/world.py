"""The service around executions under test: the real machine, in memory, with a clock that jumps.

Rule: what the service does is decided by the machine alone; here its effects are performed, in this process. When nothing
runs, the clock jumps to whatever comes next: a timer, an answer to a callback, a timeout.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from heapq import heappop, heappush
from typing import Final

from everstep.client.api import DurableClient
from everstep.errors import ServiceError, UsageError
from everstep.failures import describe
from everstep.protocol.limits import MAX_RESULT_SYNC
from everstep.protocol.shapes import ErrorObject, Operation, OperationUpdate
from everstep.service.direct import refusal
from everstep.service.errands import outcome_of
from everstep.service.functions import Durable, Functions
from everstep.service.invoker import invocation_of
from everstep.service.machine.callback import complete_callback, heartbeat_callback
from everstep.service.machine.execution import parent_notified, start_execution
from everstep.service.machine.invocation import begin_invocation, invocation_failed, invocation_lost, invocation_succeeded
from everstep.service.machine.invoke import complete_chained_invoke
from everstep.service.machine.model import (
    CallFunction,
    DeleteExecution,
    Effect,
    Event,
    ExecutionEnded,
    InvokeHandler,
    NewExecution,
    NotifyParent,
    Outcome,
    StartChild,
    Transition,
)
from everstep.service.machine.rejection import Rejected
from everstep.service.machine.rules import Rules
from everstep.service.machine.state import State
from everstep.service.machine.upkeep import fire_timers
from everstep.testing.answers import Answer, name_of
from everstep.testing.connection import Client, Crashed
from everstep.testing.faults import Crash, Fault
from everstep.testing.virtual import JumpingClock

_SECRET: Final = b"everstep.testing"
_JITTER: Final = 0.5
_MOST_INVOCATIONS: Final = 100_000


class Place:
    """One execution in the world. sent: what each checkpoint was to record. invocations: how many there were."""

    def __init__(self, transition: Transition, function: Durable, faults: Sequence[Fault]) -> None:
        self.state = State(transition.execution, transition.records)
        self.events: list[Event] = list(transition.events)
        self.function = function
        self.faults = faults
        self.sent: list[Sequence[OperationUpdate]] = []
        self.invocations = 0
        self.outcomes: dict[str, int] = {}
        """By a step's name, how often an outcome of it was to be recorded."""

    @property
    def is_open(self) -> bool:
        return self.state.execution.ended_at is None

    def open_callbacks(self) -> list[Operation]:
        """Callbacks that wait for an answer, in the order in which they began."""
        records = (record.operation for record in self.state.records.values())
        return [operation for operation in records if operation.type == "CALLBACK" and operation.status == "STARTED"]


class World:
    """Executions that are open or that somebody looks at. answers: by a callback's name. is_warm: suspended ones stay in memory."""

    def __init__(self, clock: JumpingClock, functions: Functions, answers: Mapping[str, Answer], *, rules: Rules, is_warm: bool) -> None:
        self.clock = clock
        self._functions, self._answers, self._rules, self._is_warm = functions, answers, rules, is_warm
        self._open: dict[str, Place] = {}
        self._owed: dict[str, None] = {}
        self._calls: list[CallFunction] = []
        self._told: set[tuple[str, str]] = set()
        self._due: list[tuple[int, int, Callable[[], None]]] = []  # what the outside does, by time and the order it was planned in
        self._planned = 0
        self._running: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._alone: str | None = None
        """The execution whose invocation runs without a task of its own."""
        self._alarm: asyncio.TimerHandle | None = None
        self._wakes_at: int | None = None

    # -- commands --------------------------------------------------------------

    def start(self, new: NewExecution, faults: Sequence[Fault] = ()) -> Place:
        """A new execution, which runs when the world is driven."""
        return self.begin(start_execution(new, self.clock.now_ms()), faults)

    def begin(self, transition: Transition, faults: Sequence[Fault] = ()) -> Place:
        """The same, by the transition that makes it."""
        execution = transition.execution
        function = self._functions.durable(execution.function)
        assert function is not None
        place = self._open[execution.id] = Place(transition, function, faults)
        for callback in place.open_callbacks():
            self._tell(place, callback)
        self._perform(transition.effects)
        return place

    def new_execution(self, function: Durable, name: str | None, payload: str) -> NewExecution:
        return self._functions.new_execution(function, name=name, payload=payload, result_limit=MAX_RESULT_SYNC)

    def apply(self, place: Place, command: Callable[[State, int], Transition]) -> None:
        """Change an execution. Raises Rejected."""
        self._absorb(place, command(place.state, self.clock.now_ms()))

    def complete(self, place: Place, callback_id: str, outcome: Outcome) -> None:
        """Answer a callback. Raises ServiceError if it is over."""
        try:
            self.apply(place, lambda state, now: complete_callback(state, callback_id, outcome, now))
        except Rejected as rejected:
            raise refusal(rejected) from None

    def heartbeat(self, place: Place, callback_id: str) -> None:
        """Raises ServiceError if the callback is over."""
        try:
            self.apply(place, lambda state, now: heartbeat_callback(state, callback_id, now))
        except Rejected as rejected:
            raise refusal(rejected) from None

    def drop_parked(self) -> None:
        """Let handlers forget what they keep in memory."""
        self._functions.drop_parked()

    def client_of(self, place: Place) -> DurableClient:
        """The service as the execution's handler calls it."""
        return Client(partial(self.apply, place), place, self._functions.resolve, self._rules)

    def answer_to(self, callback: Operation) -> Answer | None:
        """What somebody does about it."""
        return self._answers.get(name_of(callback))

    # -- time ------------------------------------------------------------------

    async def drive(self, is_reached: Callable[[], bool], *, until_ms: int | None = None) -> None:
        """Let the world go on until `is_reached`, until a time, or until nothing is left to happen. Nothing runs when it returns."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                while True:
                    if len(self._owed) == 1 and not self._running and not self._calls:
                        await self._invoke_alone(self._owed.popitem()[0])
                        continue
                    self._begin_what_is_owed()
                    if self._running:
                        self._set_alarm()
                        self._changed.clear()
                        await self._changed.wait()
                        continue
                    if is_reached():
                        return
                    due = self.next_due()
                    if due is None or (until_ms is not None and due > until_ms):
                        if until_ms is not None:
                            self.clock.jump_to(until_ms)
                        return
                    self.clock.jump_to(due)
                    self._fire()
            finally:
                self._alone = None
                if self._alarm is not None:
                    self._alarm.cancel()
                    self._alarm = None

    def next_due(self) -> int | None:
        """When something happens next by itself, in ms since the epoch."""
        times = [place.state.execution.due_at for place in self._open.values()]
        times.append(self._due[0][0] if self._due else None)
        return min((at for at in times if at is not None), default=None)

    def _set_alarm(self) -> None:
        """Wake up, while something runs, when something else is due."""
        if self._alarm is not None:
            self._alarm.cancel()
        due = self._wakes_at = self.next_due()
        loop = asyncio.get_running_loop()
        self._alarm = None if due is None else loop.call_later(max(0.0, due / 1000 - self.clock.now()) + 1e-4, self._ring)

    def _ring(self) -> None:
        self._fire()
        self._changed.set()
        self._set_alarm()

    def _mind(self) -> None:
        """Something may be due at another time now. With tasks, `drive` sees to it."""
        if self._alone is not None and self.next_due() != self._wakes_at:
            self._set_alarm()

    def _fire(self) -> None:
        """Do everything that is due."""
        now = self.clock.now_ms()
        while self._due and self._due[0][0] <= now:
            heappop(self._due)[2]()
        for place in tuple(self._open.values()):
            due_at = place.state.execution.due_at
            if due_at is not None and due_at <= now:
                self.apply(place, fire_timers)

    def _plan(self, after_s: float, act: Callable[[], None]) -> None:
        self._planned += 1
        heappush(self._due, (self.clock.now_ms() + round(after_s * 1000), self._planned, act))

    # -- what follows from a change --------------------------------------------

    def _absorb(self, place: Place, transition: Transition) -> None:
        place.state.absorb(transition)
        place.events.extend(transition.events)
        for record in transition.records:
            if record.operation.type == "CALLBACK" and record.operation.status == "STARTED":
                self._tell(place, record.operation)
        self._perform(transition.effects)
        self._mind()
        self._changed.set()

    def _perform(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case InvokeHandler(execution_id=owed):
                    self._owed[owed] = None
                    if self._alone not in (None, owed):
                        self._begin_what_is_owed()
                case CallFunction():
                    self._calls.append(effect)
                    if self._alone is not None:
                        self._begin_what_is_owed()
                case StartChild(start=start):
                    self.start(start)
                case NotifyParent(child_id=child_id, parent=parent, outcome=outcome):
                    child, waiting = self._open[child_id], self._open.get(parent.execution_id)
                    if waiting is not None:
                        self._end_call(waiting, parent.operation_id, outcome)
                    self.apply(child, parent_notified)
                    self._open.pop(child_id, None)
                case ExecutionEnded(execution_id=ended):
                    place = self._open.get(ended)
                    if place is not None and not place.state.execution.owes_parent:
                        del self._open[ended]
                case DeleteExecution():
                    raise AssertionError("nobody waits here for an execution to be forgotten")

    def _end_call(self, place: Place, operation_id: str, outcome: Outcome) -> None:
        self.apply(place, lambda state, now: complete_chained_invoke(state, operation_id, outcome, now))

    def _tell(self, place: Place, callback: Operation) -> None:
        """Let whoever answers this callback know of it."""
        key = place.state.execution.id, callback.id
        answer = self.answer_to(callback)
        callback_id = callback.callback_details.callback_id if callback.callback_details is not None else None
        if answer is None or answer.outcome is None or callback_id is None or key in self._told:
            return
        self._told.add(key)
        outcome = answer.outcome
        self._plan(answer.after_s, lambda: self._quietly(lambda: self.complete(place, callback_id, outcome)))
        if answer.heartbeat_s is not None:
            self._plan_heartbeat(place, callback_id, answer.heartbeat_s, answer.after_s)

    def _plan_heartbeat(self, place: Place, callback_id: str, every_s: float, left_s: float) -> None:
        """The next heartbeat, unless the answer comes first; it plans the one after it."""

        def beat() -> None:
            self._quietly(lambda: self.heartbeat(place, callback_id))
            self._plan_heartbeat(place, callback_id, every_s, left_s - every_s)

        if every_s < left_s and place.is_open:
            self._plan(every_s, beat)

    def _quietly(self, act: Callable[[], None]) -> None:
        """Do it unless it is too late: nobody waits any more for somebody who is."""
        try:
            act()
        except ServiceError as error:
            if error.code != "CallbackTimeoutException":
                raise

    # -- invocations -----------------------------------------------------------

    async def _invoke_alone(self, execution_id: str) -> None:
        """The usual case, without a task: an invocation while nothing else runs. What it sets off may run beside it."""
        place = self._open.get(execution_id)
        if place is not None:
            self._alone = execution_id
            self._set_alarm()
            await self._invoke(place)
            self._alone = None

    def _begin_what_is_owed(self) -> None:
        group = self._group
        assert group is not None
        owed, self._owed = self._owed, {}
        for one in owed:
            place = self._open.get(one)
            if place is not None:
                self._run(group.create_task(self._invoke(place), name=f"invocation of {one}"))
        calls, self._calls = self._calls, []
        for call in calls:
            self._run(group.create_task(self._call(call), name=f"call of {call.target.function}"))

    def _run(self, task: asyncio.Task[None]) -> None:
        self._running.add(task)
        task.add_done_callback(self._ran)

    def _ran(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._changed.set()

    async def _call(self, call: CallFunction) -> None:
        entry = self._functions.plain_for(call)
        assert entry is not None
        outcome = await outcome_of(entry, call)
        place = self._open.get(call.parent.execution_id)
        if place is not None:
            self._end_call(place, call.parent.operation_id, outcome)

    async def _invoke(self, place: Place) -> None:
        request_id = f"request-{place.invocations}"
        begun = begin_invocation(place.state, request_id, _SECRET, self.clock.now_ms())
        if begun is None:
            return
        place.invocations += 1
        if place.invocations > _MOST_INVOCATIONS:
            raise UsageError(f"the execution had {_MOST_INVOCATIONS:,} invocations and does not come to an end")
        self._absorb(place, begun.transition)
        function = place.function.function
        timeout_s = place.function.invocation_timeout_s
        limit = asyncio.timeout(timeout_s)
        try:
            async with limit:
                output = await function.invoke(invocation_of(begun, timeout_s), self.client_of(place))
            if Crash(place.invocations, "output") in place.faults:
                raise Crashed
        except Crashed:
            function.drop_parked()
            await asyncio.sleep(0)  # what the crash cut off ends
            self.apply(place, lambda state, now: invocation_lost(state, request_id, now))
        except Exception as error:
            failure = describe(error)
            if limit.expired():
                message = f"{request_id} Task timed out after {timeout_s:.2f} seconds"
                failure = ErrorObject(error_type="Sandbox.Timedout", error_message=message)
            self.apply(place, lambda state, now: invocation_failed(state, request_id, failure, now, jitter=_JITTER, rules=self._rules))
        else:
            if not self._is_warm:
                function.drop_parked()
            self.apply(place, lambda state, now: invocation_succeeded(state, request_id, output, now, rules=self._rules))
