"""The same tests against functions that are deployed: on AWS, or behind any endpoint that answers like it.

Rule: only the public API is used, and time is real. What is looked at afterwards is made from the history, as everywhere else; a
page that was read twice while the execution went on counts once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from heapq import heappop, heappush
from typing import Final, Generic, Never, TypeVar, cast
from uuid import uuid4

from everstep.client.executions import ExecutionsApi, JsonObject, client_for
from everstep.durations import Duration, positive_seconds
from everstep.errors import ServiceError
from everstep.handler import DurableHandler
from everstep.protocol.shapes import TERMINAL, ErrorObject, Operation
from everstep.service.machine.model import Outcome
from everstep.testing.answers import IGNORED, Answer, OpenCallback, answer, name_of
from everstep.testing.from_history import recorded
from everstep.testing.records import RecordedExecution

In = TypeVar("In")
Out = TypeVar("Out")

_FIRST_POLL_S: Final = 0.1
_OVER: Final = "CallbackTimeoutException"


class CloudRunner:
    """Runs durable functions where they are deployed. It blocks the thread; in `async def` tests, use `asyncio.to_thread`.

    endpoint_url: of the service; without, AWS as the environment says. region: instead of the environment's. qualifier: of
    functions that are not registered. poll_every: how often an execution is asked about, at the longest. timeout: how long a test
    waits for one.
    """

    def __init__(
        self,
        *,
        endpoint_url: str | None = None,
        region: str | None = None,
        qualifier: str = "$LATEST",
        poll_every: Duration = 2,
        timeout: Duration = 15 * 60,
    ) -> None:
        """Raises UsageError."""
        self._api = ExecutionsApi(client_for(endpoint_url, region))
        self._qualifier = qualifier
        self._poll_every_s = positive_seconds("poll_every", poll_every)
        self._timeout_s = positive_seconds("timeout", timeout)
        self._functions: dict[int, str] = {}
        self._answers: dict[str, Answer] = {}

    def close(self) -> None:
        self._api.close()

    def register(self, handler: DurableHandler[In, Out], *, name: str) -> None:
        """Say under which name a handler is deployed: NAME, NAME:QUALIFIER or an ARN. Default: its own, with the runner's qualifier."""
        self._functions[id(handler)] = name

    def on_callback(
        self,
        name: str,
        *,
        returns: object = None,
        text: str | None = None,
        raises: Exception | ErrorObject | None = None,
        after: Duration = 0,
        heartbeat_every: Duration | None = None,
    ) -> None:
        """Have callbacks of this name answered, in real time. See `Runner.on_callback`."""
        self._answers[name] = answer(returns, text, raises, after, heartbeat_every)

    def ignore_callback(self, name: str) -> None:
        """Nobody answers callbacks of this name."""
        self._answers[name] = IGNORED

    def run(self, handler: DurableHandler[In, Out], event: In, *, name: str | None = None) -> RecordedExecution[Out]:
        """Run the deployed handler to the end of its execution. name: the execution's. Raises ServiceError, TimeoutError."""
        return self.start(handler, event, name=name).finish()

    def start(self, handler: DurableHandler[In, Out], event: In, *, name: str | None = None) -> CloudExecution[Out]:
        """Start an execution, which then goes on by itself."""
        function = self._functions.get(id(handler)) or f"{handler.name}:{self._qualifier}"
        arn = self._api.start(function, handler.encode_input(event), name=name or f"test-{uuid4().hex}")
        deployed = cast("DurableHandler[Never, Out]", handler)
        return CloudExecution(self._api, deployed, arn, self._answers, self._poll_every_s, self._timeout_s)


class CloudExecution(Generic[Out]):
    """A deployed handler's execution. Callbacks are answered, and heartbeats sent, while one of its methods waits."""

    def __init__(
        self,
        api: ExecutionsApi,
        handler: DurableHandler[Never, Out],
        arn: str,
        answers: Mapping[str, Answer],
        poll_every_s: float,
        timeout_s: float,
    ) -> None:
        self.arn = arn
        self._api, self._handler, self._answers = api, handler, answers
        self._poll_every_s, self._timeout_s = poll_every_s, timeout_s
        self._events: dict[object, JsonObject] = {}
        self._told: set[str] = set()
        self._due: list[tuple[float, int, Callable[[], None]]] = []  # what is sent, by time and the order it was planned in
        self._planned = 0

    def until_callback(self, name: str | None = None) -> OpenCallback:
        """Wait until this callback, or any, waits for an answer. Raises LookupError if the execution ends without."""
        waiting: list[Operation] = []

        def is_there(record: RecordedExecution[Out]) -> bool:
            waiting.extend(_waiting(record, name))
            return bool(waiting)

        if not self._until(is_there):
            what = "a callback" if name is None else f"the callback {name!r}"
            raise LookupError(f"the execution never waited for {what}:\n{self.record().tree()}")
        callback_id = _id_of(waiting[0])
        heartbeat = partial(self._api.heartbeat_callback, callback_id)
        return OpenCallback(callback_id, name_of(waiting[0]), partial(self._complete, callback_id), heartbeat)

    def finish(self) -> RecordedExecution[Out]:
        """Wait for the end."""
        self._until(lambda _: False)
        return self.record()

    def stop(self, error: ErrorObject | None = None) -> None:
        """Close the execution as STOPPED."""
        self._api.stop(self.arn, error)

    def record(self) -> RecordedExecution[Out]:
        """What is recorded so far."""
        for event in self._api.history(self.arn):
            self._events[event.get("EventId")] = event
        handler = self._handler
        return recorded(self.arn, self._events.values(), decode=handler.decode_output, read=handler.texts(self.arn).read)

    # -- inside ----------------------------------------------------------------

    def _until(self, is_reached: Callable[[RecordedExecution[Out]], bool]) -> bool:
        """Whether it was reached before the execution ended. Raises TimeoutError."""
        gives_up_at = time.monotonic() + self._timeout_s
        pause_s = _FIRST_POLL_S
        while True:
            record = self.record()
            self._tell(record)
            if is_reached(record):
                return True
            if record.ended_at is not None:
                return False
            now = time.monotonic()
            if now >= gives_up_at:
                waiting = ", ".join(repr(name_of(callback)) for callback in _waiting(record, None))
                hint = f" It waits for the callback {waiting}: is there an answer, on_callback(…)?" if waiting else ""
                raise TimeoutError(f"the execution has not ended within {self._timeout_s:g} s.{hint}\n{record.tree()}")
            wakes_at = min([now + min(pause_s, self._poll_every_s), gives_up_at, *(at for at, _, _ in self._due[:1])])
            time.sleep(max(0.0, wakes_at - now))
            pause_s *= 1.5
            while self._due and self._due[0][0] <= time.monotonic():
                heappop(self._due)[2]()

    def _tell(self, record: RecordedExecution[Out]) -> None:
        """Let those who answer know of new callbacks."""
        for callback in _waiting(record, None):
            answered = self._answers.get(name_of(callback))
            callback_id = _id_of(callback)
            if answered is None or answered.outcome is None or callback_id in self._told:
                continue
            self._told.add(callback_id)
            self._plan(answered.after_s, partial(self._quietly, partial(self._complete, callback_id, answered.outcome)))
            if answered.heartbeat_s is not None:
                self._plan_heartbeat(callback_id, answered.heartbeat_s, answered.after_s)

    def _plan_heartbeat(self, callback_id: str, every_s: float, left_s: float) -> None:
        """The next heartbeat, unless the answer comes first; it plans the one after it."""

        def beat() -> None:
            self._quietly(partial(self._api.heartbeat_callback, callback_id))
            self._plan_heartbeat(callback_id, every_s, left_s - every_s)

        if every_s < left_s:
            self._plan(every_s, beat)

    def _plan(self, after_s: float, act: Callable[[], None]) -> None:
        self._planned += 1
        heappush(self._due, (time.monotonic() + after_s, self._planned, act))

    def _quietly(self, act: Callable[[], None]) -> None:
        """Do it unless it is too late."""
        try:
            act()
        except ServiceError as error:
            if error.code != _OVER:
                raise

    def _complete(self, callback_id: str, outcome: Outcome) -> None:
        if outcome.status == "SUCCEEDED":
            self._api.succeed_callback(callback_id, outcome.result)
        else:
            self._api.fail_callback(callback_id, outcome.error or ErrorObject())


def _waiting(record: RecordedExecution[Out], name: str | None) -> list[Operation]:
    return [
        operation
        for operation in record.recorded
        if operation.type == "CALLBACK" and operation.status not in TERMINAL and name in (None, name_of(operation))
    ]


def _id_of(callback: Operation) -> str:
    details = callback.callback_details
    assert details is not None
    assert details.callback_id is not None, "a history says each callback's id"
    return details.callback_id
