"""Sends updates to the service: one owner of the token, one call in flight.

Rule: whatever is queued while a call is in flight goes out together in the next one; there is no window to wait out. An
update is urgent (somebody waits for it) or quiet: quiet ones linger a few milliseconds for an urgent one to leave with, so
that a short step costs one round trip. What threads bring about, which end one by one, is gathered while more is about to come.
Nothing leaves while handler code runs: whoever drives it says when it is `at_rest`.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextvars import copy_context
from typing import TYPE_CHECKING

from everstep.client.api import Checkpointed, DurableClient
from everstep.errors import ServiceError
from everstep.protocol.shapes import Operation, OperationUpdate
from everstep.replay.batching import take_batch, update_bytes
from everstep.runtime.spawn import outside_tasks, spawn

if TYPE_CHECKING:
    from everstep.runtime.reporter import Reporter

LINGER_S = 0.005
GATHER_S, GATHER_ROUNDS = 0.001, 10
_WAIT_ALREADY_OVER = "Cannot cancel a WAIT"  # the service's words, spec 3.5


class Checkpointer:
    """The queue of one invocation's updates and the token that orders them."""

    def __init__(
        self,
        *,
        host: asyncio.AbstractEventLoop,
        client: DurableClient,
        arn: str,
        token: str,
        recorded: Callable[[Sequence[Operation]], None],
        failed: Callable[[BaseException], None],
        revoked: Callable[[], None],
        one_at_a_time: bool,
        reporter: Reporter | None,
    ) -> None:
        """recorded: called with what changed, after each answer (`at_rest` follows). failed: it can't go on. revoked: it must end.

        one_at_a_time: send each update at once, in a call of its own.
        """
        self._host = host
        self._client = client
        self._arn = arn
        self.token = token
        self._recorded = recorded
        self._failed = failed
        self._revoked = revoked
        self._one_at_a_time = one_at_a_time
        self._reporter = reporter
        self._queue: deque[tuple[OperationUpdate, int]] = deque()
        self._urgent = False
        self._is_leaving = False
        self._lingering: asyncio.TimerHandle | None = None
        self._gathering = False
        self._in_flight: asyncio.Task[None] | None = None
        self._context = copy_context()
        self._session = os.urandom(8).hex()
        self.calls = 0
        self.closed = False

    @property
    def is_idle(self) -> bool:
        """Everything that was sent is acknowledged, and nothing is queued."""
        return self._in_flight is None and not self._queue and not self._urgent

    def send(self, update: OperationUpdate, *, urgent: bool) -> None:
        """Queue an update. Urgent: it leaves with the next call; else it waits for one to leave with."""
        self._queue.append((update, update_bytes(update)))
        if urgent or self._one_at_a_time:
            self._stop_lingering()
            self._urgent = True

    def at_rest(self, *, is_alone: bool) -> None:
        """Send what is urgent, and let what is quiet linger. Called whenever handler code can go no further.

        is_alone: no step runs, so nothing could join what is queued: it leaves at once, else at the end of the turn.
        """
        if is_alone:
            if self._in_flight is None:
                self._stop_lingering()
                self._urgent = True
                self._flush()
        elif self._urgent:
            self.flush_soon()
        elif self._queue and self._lingering is None:
            self._lingering = self._host.call_later(LINGER_S, self.flush_soon)

    def gather(self, is_more_to_come: Callable[[], bool]) -> None:
        """Hold what is queued back: more is about to come, from threads. That is asked every GATHER_S, GATHER_ROUNDS times at most."""
        if not self._urgent and not self._gathering:
            self._stop_lingering()
            self._gathering = True
            self._lingering = self._host.call_later(GATHER_S, self._gather_on, is_more_to_come, 1)

    def _gather_on(self, is_more_to_come: Callable[[], bool], rounds: int) -> None:
        if rounds < GATHER_ROUNDS and is_more_to_come():
            self._lingering = self._host.call_later(GATHER_S, self._gather_on, is_more_to_come, rounds + 1)
        else:
            self.flush_soon()

    def withdraw(self, operation_id: str) -> bool:
        """Take back an update that has not left yet; whether there was one."""
        for entry in self._queue:
            if entry[0].id == operation_id:
                self._queue.remove(entry)
                return True
        return False

    def flush_soon(self) -> None:
        """Send what is queued (nothing: an empty checkpoint, to learn what changed) at the end of this turn of the host's loop."""
        self._stop_lingering()
        self._urgent = True
        if self._in_flight is None and not self._is_leaving:
            self._is_leaving = True
            self._host.call_soon(self._leave)

    def close(self) -> None:
        """Send nothing any more. A call in flight ends by itself; its answer is not looked at."""
        self.closed = True
        self._queue.clear()
        self._stop_lingering()

    def release(self) -> None:
        """Forget whom to tell: with an engine that is gone, this would be a cycle that only the collector frees."""
        self._recorded = self._failed = self._revoked = _ignore

    def _stop_lingering(self) -> None:
        self._gathering = False
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None

    def _leave(self) -> None:
        self._is_leaving = False
        self._flush()

    def _flush(self) -> None:
        if self.closed or self._in_flight is not None or not self._urgent:
            return
        self._urgent = False
        if self._one_at_a_time:
            self._call([self._queue.popleft()[0]] if self._queue else [])
        else:
            self._call(take_batch(self._queue))

    def _call(self, batch: list[OperationUpdate]) -> None:
        self.calls += 1
        call = self._checkpoint(batch)
        if self._reporter is not None:
            call = self._reporter.checkpoint(batch, call)
        self._in_flight = spawn(self._host, self._carry(call))

    async def _carry(self, call: Coroutine[object, object, Checkpointed]) -> None:
        """Make a call and go on from its answer, in the same turn of the host's loop if it was waited for: a turn less for each step."""
        try:
            answer: Checkpointed | BaseException = await call
        except (KeyboardInterrupt, SystemExit):  # the loop itself ends
            raise
        except BaseException as error:
            answer = error
        if self._in_flight is None:  # answered before `spawn` came back: to go on here would nest call in call
            self._host.call_soon(self._answered, answer)
        else:
            self._context.run(outside_tasks, self._host, self._answered, answer)

    async def _checkpoint(self, batch: list[OperationUpdate]) -> Checkpointed:
        try:
            answer = await self._client.checkpoint(self._arn, self.token, batch, f"{self._session}-{self.calls}")
        except ServiceError as error:
            if _WAIT_ALREADY_OVER not in str(error):
                raise
            # A timer fired while its cancellation was under way. The batch was refused as a whole, and the token is still good.
            rest = [update for update in batch if update.action != "CANCEL"]
            answer = await self._client.checkpoint(self._arn, self.token, rest, f"{self._session}-{self.calls}-again")
        if not answer.next_marker or answer.token is None:
            return answer
        operations = list(answer.operations)
        marker: str | None = answer.next_marker
        while marker:
            page = await self._client.get_state(self._arn, answer.token, marker)
            operations.extend(page.operations)
            marker = page.next_marker
        return Checkpointed(token=answer.token, operations=operations)

    def _answered(self, answer: Checkpointed | BaseException) -> None:
        self._in_flight = None
        if self.closed:
            return
        if isinstance(answer, BaseException):
            self._failed(answer)
            return
        if answer.token is None:
            self._revoked()
            return
        self.token = answer.token
        if self._queue and self._lingering is None:
            self._urgent = True
        self._recorded(answer.operations)


def _ignore(*_: object) -> None:
    """Instead of telling an engine that does not listen any more."""
