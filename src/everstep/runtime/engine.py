"""The engine of one execution in this process: it runs handler code to where it can go no further, then decides.

Rules, in this order (ADR 0005):
1. Handler code runs until it is quiescent.
2. Recorded completions are delivered one at a time, in their order, with rule 1 between two of them.
3. Only when none is left does live work begin: what was called and is not finished, in the order of the calls.
4. When nothing runs here and everything sent is acknowledged, the invocation ends; the engine stays parked, and the next
   invocation may continue it (warm resume).
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, TypeVar

from everstep.client.api import DurableClient
from everstep.errors import ReplayMismatch, UsageError
from everstep.protocol.shapes import TERMINAL, Operation, OperationAction, OperationUpdate, StepDetails, WaitOptions
from everstep.replay.journal import PATCH, Journal, check_identity
from everstep.runtime.alarm import Alarm
from everstep.runtime.callers import calling_line
from everstep.runtime.checkpointer import Checkpointer
from everstep.runtime.deliveries import Deliveries, Target, is_over
from everstep.runtime.handler_io import watch
from everstep.runtime.loop import DurableLoop, DurableTask, DurableTimer
from everstep.runtime.progress import Progress
from everstep.runtime.scope import Scope, root_scope
from everstep.runtime.spawn import outside_tasks
from everstep.runtime.texts import Texts
from everstep.serdes import JsonSerdes, Serdes

if TYPE_CHECKING:
    from everstep.runtime.plain_bodies import PlainBodies
    from everstep.runtime.reporter import Reporter
    from everstep.stages import Stage

T = TypeVar("T")
Outcome: TypeAlias = Literal["done", "pending"]
Durability: TypeAlias = Literal["acknowledged", "eager", "pipelined"]
"""When a handler may go on after a step: once its result is recorded (the first two), or already while that is under way."""
_MARK: tuple[OperationAction, ...] = ("START", "SUCCEED")
_MOST_REFUSALS = 1_000


class LiveOperation(Protocol):
    """An operation with work on this side, a step for one."""

    def changed(self, record: Operation) -> None:
        """Its record changed at the service, without being finished."""
        ...

    def cancel(self) -> None:
        """Stop whatever runs for it; its outcome is of no interest any more."""
        ...


class Engine:
    """One execution, from its first invocation in this process until it ends or is dropped."""

    __slots__ = (  # more than an instance's own table holds: with a dict, each look at one would cost twice as much
        "_advancing",
        "_alarm",
        "_awaiting",
        "_begins",
        "_deliveries",
        "_durability",
        "_ends_acknowledged",
        "_finished",
        "_is_advance_due",
        "_live",
        "_patches",
        "_plain_bodies",
        "_progress",
        "_refusals",
        "_root",
        "_running",
        "_serdes",
        "_starting",
        "_unrecorded",
        "arn",
        "begun_at",
        "checkpointer",
        "clock",
        "dropped",
        "failure",
        "host",
        "is_alone",
        "is_stale",
        "journal",
        "lambda_context",
        "loop",
        "open",
        "reporter",
        "root_scope",
        "texts",
        "unawaited",
    )

    def __init__(
        self,
        *,
        arn: str,
        journal: Journal,
        begun_at: float,
        clock: Callable[[], float] = time.time,
        durability: Durability = "acknowledged",
        stages: Sequence[Stage] = (),
        serdes: Callable[[object], Serdes[object]] | None = None,
        reporter: Reporter | None = None,
    ) -> None:
        """begun_at: the execution's start, in ms since the epoch. clock: seconds since the epoch, of the host."""
        self.reporter = reporter
        self._durability: Durability = durability
        watch()
        self.texts = Texts(arn, stages, self.fail)
        self._serdes = serdes
        self.arn = arn
        self.is_stale = False
        self.lambda_context: object = None
        """What the runtime hands over, on AWS Lambda and in workers."""
        self.is_alone = False
        """Whether the host's loop runs nothing but this execution."""
        self.clock = clock
        self.journal = journal
        self.root_scope: Scope = root_scope()
        self.loop = DurableLoop(self, self.root_scope, seed=hash_seed(arn))
        self.dropped = False
        self.begun_at = begun_at
        self.failure: BaseException | None = None
        self.unawaited: dict[str, Coroutine[object, object, object]] = {}
        """Operations that were called and not awaited yet, by id."""
        self._refusals = 0
        self._progress = Progress(journal.operations)
        self._patches: dict[str, bool] = {}
        self.open: set[str] = {operation.id for operation in journal.operations.values() if operation.status not in TERMINAL}
        self._root: DurableTask[str] | None = None
        self._deliveries = Deliveries(begun_at)
        self._begins: list[tuple[Target, Callable[[], None]]] = []
        self._awaiting: dict[str, list[Target]] = {}
        self._starting: dict[str, asyncio.Future[object]] = {}
        self._unrecorded: set[str] = set()
        self._live: dict[str, LiveOperation] = {}
        self._running: set[asyncio.Future[object]] = set()
        self._plain_bodies: PlainBodies | None = None
        self._is_advance_due = False
        self._alarm = Alarm(self._awaiting.__contains__, journal.operations.get, clock)
        self._advancing = False
        self._ends_acknowledged = durability == "pipelined"
        """Whether the invocation of a handler that has returned ends only when all that was sent is acknowledged."""
        # Of the current invocation:
        self.host: asyncio.AbstractEventLoop
        self.checkpointer: Checkpointer
        self._finished: asyncio.Future[Outcome]

    # -- one invocation --------------------------------------------------------

    async def run(
        self,
        *,
        client: DurableClient,
        token: str,
        program: Coroutine[object, object, str] | None = None,
        news: Sequence[Operation] = (),
    ) -> Outcome:
        """Run one invocation on the current event loop: from the start (`program`), or on from where the last one parked.

        news: what changed since, taken into the journal already. Returns "done" (see `result`) or "pending". Raises what made
        going on impossible: a ServiceError, or CancelledError if the invocation itself was cancelled.
        """
        self.host = asyncio.get_running_loop()
        self._finished = self.host.create_future()
        self.checkpointer = Checkpointer(
            host=self.host,
            client=client,
            arn=self.arn,
            token=token,
            recorded=self._recorded,
            failed=self._fail,
            revoked=self._revoked,
            one_at_a_time=self._durability == "eager",
            reporter=self.reporter,
        )
        if program is not None:
            self._root = self.loop.new_task(program, self.root_scope, name="handler")
        try:
            outside_tasks(self.host, self._go_on, news)
            return await self._finished
        finally:
            self.checkpointer.close()
            self._alarm.cancel()
            if not self._finished.done() or self._finished.cancelled() or self._finished.exception() is not None:
                self.drop()

    def result(self) -> str:
        """What the handler returned, as JSON text. Raises what it raised; UsageError if it left an operation without awaiting it."""
        assert self._root is not None
        if self.failure is not None:
            raise self.failure
        result = self._root.result()
        for operation_id, run in self.unawaited.items():
            if inspect.getcoroutinestate(run) == inspect.CORO_CREATED:
                name = getattr(run, "__name__", "an operation")
                raise UsageError(
                    f"the handler called {name}() and never awaited it (operation {operation_id[:12]}…), so nothing was done: write "
                    "`await ctx.…`, or give it to asyncio.create_task and await the task"
                )
        return result

    async def settle(self, update: OperationUpdate) -> None:
        """Send a last update of an execution that is done, and wait until it is acknowledged or the token is gone."""
        self._ends_acknowledged = True
        self._finished = self.host.create_future()
        self.checkpointer.closed = False
        self.checkpointer.send(update, urgent=True)
        self.checkpointer.flush_soon()
        try:
            await self._finished
        finally:
            self.checkpointer.close()

    def drop(self) -> None:
        """Give the execution up in this process: nothing of it runs any more, here."""
        if self.dropped:
            return
        self.dropped = True
        for run in self.unawaited.values():
            run.close()
        self.unawaited.clear()
        for live in list(self._live.values()):
            live.cancel()
        self._live.clear()
        self._awaiting.clear()
        self._begins.clear()
        self._deliveries.clear()
        self.loop.drop()
        self.texts.release()
        if hasattr(self, "checkpointer"):  # it has run
            self.checkpointer.release()
        self._root = None  # tasks of one execution's engines have equal hashes: those that are gone must not wait for the collector

    # -- what operations ask ---------------------------------------------------

    def recorded(
        self, operation_id: str, *, operation_type: str, sub_type: str, name: str | None, parent_id: str | None, name_is_inferred: bool
    ) -> Operation | None:
        """The record of an operation that is being called, checked to be the one the handler asks for; None if there is none."""
        record = self.journal.operations.get(operation_id)
        if record is not None:
            if record.status not in TERMINAL or record.status == "CANCELLED":
                self._progress.pass_by(operation_id)
            try:
                check_identity(
                    record,
                    operation_type=operation_type,
                    sub_type=sub_type,
                    name=name,
                    name_is_inferred=name_is_inferred,
                    parent_id=parent_id,
                )
            except ReplayMismatch as mismatch:
                mismatch = ReplayMismatch(
                    operation_id=mismatch.operation_id, recorded=mismatch.recorded, asked=mismatch.asked, where=calling_line()
                )
                self.failure = mismatch  # decided, whatever handler code catches
                raise mismatch from None
        return record

    @property
    def is_replaying(self) -> bool:
        """Whether something recorded is still ahead of the handler: an operation to be called, or an end to be delivered."""
        return self._progress.is_replaying

    def patched(self, operation_id: str, parent_id: str | None, change: str | None) -> bool:
        """Whether the change applies here, as it was decided when it was first asked for.

        It applies if its mark is recorded, or if nothing recorded is ahead; then the mark is recorded.
        """
        decided = self._patches.get(operation_id)
        if decided is not None:
            return decided
        record = self.recorded(
            operation_id, operation_type="STEP", sub_type=PATCH, name=change, parent_id=parent_id, name_is_inferred=False
        )
        applies = record is not None or not self.is_replaying
        self._patches[operation_id] = applies
        if applies and record is None:
            self._mark(operation_id, parent_id, change)
        return applies

    def _mark(self, operation_id: str, parent_id: str | None, change: str | None) -> None:
        for action in _MARK:
            payload = "true" if action == "SUCCEED" else None
            update = OperationUpdate(
                id=operation_id, type="STEP", sub_type=PATCH, action=action, name=change, parent_id=parent_id, payload=payload
            )
            self.send(update, urgent=False)

    async def outcome(self, operation_id: str, begin: Callable[[], None] | None, *, is_early: bool = False) -> Operation:
        """The finished record, when its turn comes. begin: starts the live work, if it comes to that.

        is_early: a pipelined execution may have gone on before it was recorded, so its time is not the handler's.
        """
        record = self.journal.operations.get(operation_id)
        if record is not None and record.status in TERMINAL and record.status != "CANCELLED":
            if self.passes(record, is_early=is_early):
                return record
            future = self.loop.create_future()
            self._deliveries.add(self.journal.key(record), future, record)
        else:
            future = self.loop.create_future()
            self._awaiting.setdefault(operation_id, []).append(future)
            if begin is not None:
                self._begins.append((future, begin))
            elif record is not None:
                self._alarm.watch(record)  # begun elsewhere: a callback whose result is asked for
        try:
            answer = await future
        except BaseException:
            self._forget(operation_id, future)
            raise
        assert isinstance(answer, Operation)
        return answer

    def passes(self, record: Operation, *, is_early: bool = False) -> bool:
        """Whether a recorded end is handed out at once: its turn is now. is_early: see `outcome`."""
        self._progress.pass_by(record.id)
        if self.loop.ready:
            return False
        if is_early and self._durability == "pipelined" and self._is_sequential(awaiting=0):
            return True
        return self._deliveries.passes(self.journal.key(record))

    def deliver_early(self, update: OperationUpdate) -> None:
        """Let a pipelined handler go on with a step's result while its record is under way, if nothing else could come first."""
        if self._durability != "pipelined" or not self._is_sequential(awaiting=1):
            return
        record = Operation(
            id=update.id,
            type=update.type,
            status="SUCCEEDED",
            start_timestamp=self._deliveries.now_ms,
            end_timestamp=self._deliveries.now_ms,
            parent_id=update.parent_id,
            name=update.name,
            sub_type=update.sub_type,
            step_details=StepDetails(attempt=1, result=update.payload),
        )
        self.journal.absorb(record)
        self._absorbed(record)

    def _is_sequential(self, *, awaiting: int) -> bool:
        """Whether handler code waits for nothing but so many operations."""
        return len(self._awaiting) == awaiting and not self._deliveries and not self._starting

    async def begun(self, start: OperationUpdate) -> Operation:
        """The record of an operation once the service has begun it (a callback has its id then), when its turn comes."""
        operation_id = start.id
        record = self.journal.operations.get(operation_id)
        future = self.loop.create_future()
        if record is None:
            self._starting[operation_id] = future
            self._begins.append((future, lambda: self.start(start)))
        else:
            key = (record.start_timestamp, self.journal.place(operation_id))
            if not self.loop.ready and self._deliveries.passes(key):
                return record
            self._deliveries.add(key, future, record)
        try:
            await future
        except BaseException:
            self._starting.pop(operation_id, None)
            raise
        return self.journal.operations[operation_id]

    def send(self, update: OperationUpdate, *, urgent: bool) -> None:
        """Queue an update; the first of an operation gives it its place in the order."""
        if self.reporter is not None:
            update = self.reporter.sent(update)
        self.journal.begin(update.id)
        plain = self._plain_bodies
        if urgent and plain is not None and plain.ends_soon() and self._durability != "eager":
            self.checkpointer.send(update, urgent=False)
            self.checkpointer.gather(plain.ends_soon)
        else:
            self.checkpointer.send(update, urgent=urgent)

    def start(self, update: OperationUpdate) -> None:
        """Send the START of an operation that the service carries out, unless it is recorded already."""
        if update.id not in self.journal.operations:
            self._unrecorded.add(update.id)
            self.send(update, urgent=True)
        else:
            self._alarm.watch(self.journal.operations[update.id])

    def enlist(self, operation_id: str, live: LiveOperation) -> None:
        """Tell `live` about changes of its record, until it is finished."""
        self._live[operation_id] = live

    def begin_again(self, operation_id: str, begin: Callable[[], None]) -> None:
        """Queue live work of an operation that is still awaited (the next attempt of a step)."""
        for waiting in self._awaiting.get(operation_id, ()):
            self._begins.append((waiting, begin))
            return

    @property
    def plain_bodies(self) -> PlainBodies:
        """Those that run in threads."""
        if self._plain_bodies is None:
            from everstep.runtime.plain_bodies import PlainBodies

            self._plain_bodies = PlainBodies()
        return self._plain_bodies

    def running(self, body: asyncio.Future[object]) -> None:
        """Count work that runs on the host for an operation; the invocation doesn't end before it has."""
        self._running.add(body)

    def ended(self, body: asyncio.Future[object]) -> None:
        """That work has ended: go on, unless the engine is already about to. While plain bodies run, more may end in this turn."""
        self._running.discard(body)
        if self._advancing or self.dropped or self._is_advance_due:
            return
        if self._plain_bodies:
            self._is_advance_due = True
            self.host.call_soon(self._advance)
        else:
            self._advance()

    @property
    def may_block(self) -> bool:
        """Whether a body may hold up the host's loop: nothing else is under way there."""
        return self.is_alone and not self._running and len(self._awaiting) == 1

    @property
    def log_fields(self) -> Mapping[str, object]:
        """What log records of this execution carry."""
        request_id = getattr(self.lambda_context, "aws_request_id", None)
        return {"executionArn": self.arn} | ({"requestId": request_id} if request_id else {})

    @property
    def has_running(self) -> bool:
        """Whether any work runs on the host for an operation."""
        return bool(self._running)

    def serdes_of(self, by_annotation: JsonSerdes[object]) -> Serdes[object]:
        """The serdes of a value: JSON by its annotation, or what the handler's own factory makes for that."""
        return by_annotation if self._serdes is None else self._serdes(by_annotation.annotation)

    def called(self, operation_id: str, run: Coroutine[object, object, T]) -> Coroutine[object, object, T]:
        """Note an operation that has been called; it is taken off when it is awaited."""
        self.unawaited[operation_id] = run
        return run

    def refuse_cancelled(self) -> None:
        """Refuse an operation of a context that is cancelled. Raises CancelledError.

        Code that swallows that time and again would never stop: it is let in at last, to wait for an operation that never
        begins, for the execution has failed by then.
        """
        self._refusals += 1
        if self._refusals <= _MOST_REFUSALS:
            raise asyncio.CancelledError
        self.failure = UsageError(
            "code of a cancelled branch goes on asking for operations: it swallows asyncio.CancelledError. Let it pass: catch "
            "Exception instead of BaseException, or raise it again"
        )

    def fail(self, error: BaseException) -> None:
        """End the invocation with this error, whatever handler code does."""
        self._fail(error)

    # -- timers of asyncio -----------------------------------------------------

    @property
    def durable_time(self) -> float:
        """The latest time that was delivered to handler code, in seconds since the epoch."""
        return self._deliveries.now_ms / 1000

    def set_timer(self, timer: DurableTimer, delay: float, scope: Scope) -> None:
        from everstep.operations.wait import timer_seconds

        seconds = timer_seconds(delay)
        timer.operation_id = operation_id = scope.next_timer_id()
        parent_id = scope.node.parent_id
        record = self.recorded(
            operation_id, operation_type="WAIT", sub_type="Wait", name="timer", parent_id=parent_id, name_is_inferred=False
        )
        if record is not None and record.status in TERMINAL:
            if record.status != "CANCELLED":  # what cancelled it then will cancel it again
                self._progress.pass_by(operation_id)
                self._deliveries.add(self.journal.key(record), timer, record)
            return
        start = OperationUpdate(
            id=operation_id,
            parent_id=parent_id,
            type="WAIT",
            sub_type="Wait",
            name="timer",
            action="START",
            wait_options=WaitOptions(wait_seconds=seconds),
        )
        self._awaiting.setdefault(operation_id, []).append(timer)
        self._begins.append((timer, lambda: self.start(start)))

    def cancel_timer(self, timer: DurableTimer) -> None:
        self._forget(timer.operation_id, timer)
        self.cancel_wait(timer.operation_id)

    def cancel_wait(self, operation_id: str) -> None:
        """Tell the service, with the next call, that nobody waits for this any more."""
        if self.dropped:
            return
        record = self.journal.operations.get(operation_id)
        if record is None:
            sent = operation_id in self._unrecorded and not self.checkpointer.withdraw(operation_id)
            self._unrecorded.discard(operation_id)
            if not sent:
                if self.reporter is not None:
                    self.reporter.withdrawn(operation_id)
                return
        elif record.status in TERMINAL:
            return
        self.send(OperationUpdate(id=operation_id, type="WAIT", action="CANCEL"), urgent=False)

    # -- the order of things ---------------------------------------------------

    def _forget(self, operation_id: str, target: Target) -> None:
        """Nobody waits for this any more."""
        waiting = self._awaiting.get(operation_id)
        if waiting is None or target not in waiting:
            return
        waiting.remove(target)
        if waiting:
            return
        del self._awaiting[operation_id]
        self._alarm.forget(operation_id)
        live = self._live.pop(operation_id, None)
        if live is not None:
            live.cancel()

    def _recorded(self, operations: Sequence[Operation]) -> None:
        if self.dropped or self._finished.done():
            return
        news = self.journal.take(operations)
        if self.reporter is not None:
            self.reporter.changed(operations)
        self._go_on(news)

    def _go_on(self, news: Sequence[Operation]) -> None:
        if self.dropped or self._finished.done():
            return
        self._advancing = True  # nothing is delivered before all of it is known
        try:
            for operation in news:
                self._absorbed(operation)
        except Exception as error:  # ours, or of a serdes: without an end the invocation would hang
            self._fail(error)
        self._advance()

    def _absorbed(self, operation: Operation) -> None:
        operation_id = operation.id
        self._unrecorded.discard(operation_id)
        starting = self._starting.pop(operation_id, None)
        if starting is not None:
            self._deliveries.add((operation.start_timestamp, self.journal.place(operation_id)), starting, operation)
        if operation.status in TERMINAL:
            self.open.discard(operation_id)
            self._alarm.forget(operation_id)
            self._live.pop(operation_id, None)
            if operation.status != "CANCELLED":
                for target in self._awaiting.pop(operation_id, ()):
                    self._deliveries.add(self.journal.key(operation), target, operation)
            return
        self.open.add(operation_id)
        if operation_id in self._awaiting:
            self._alarm.watch(operation)
        live = self._live.get(operation_id)
        if live is not None:
            live.changed(operation)

    def watch(self, record: Operation) -> None:
        """Mind an awaited operation that the service will move on."""
        self._alarm.watch(record)

    def _advance(self) -> None:
        self._is_advance_due = False
        if self.dropped or self._finished.done():
            return
        self._advancing = True
        try:
            self._run_as_far_as_possible()
            self._decide()
        except Exception as error:  # ours: without an end the invocation would hang
            self._fail(error)
        finally:
            self._advancing = False

    def _run_as_far_as_possible(self) -> None:
        loop, deliveries, root = self.loop, self._deliveries, self._root
        assert root is not None
        while True:
            loop.run_ready()
            if root.done() or self.failure is not None:
                return
            if deliveries:
                target, record = deliveries.pop()
                if isinstance(target, DurableTimer):
                    loop.fire(target)
                elif not target.done():
                    target.set_result(record)
            elif self._begins:
                begins, self._begins = self._begins, []
                self._go_live(begins)
            else:
                return

    def _go_live(self, begins: Sequence[tuple[Target, Callable[[], None]]]) -> None:
        """Begin the work of what was called and is not finished."""
        self._progress.is_live = True
        for target, begin in begins:
            if not is_over(target):
                begin()

    def _decide(self) -> None:
        assert self._root is not None
        if self._root.done() or self.failure is not None:
            if self._ends_acknowledged and not self.checkpointer.is_idle:
                self.checkpointer.at_rest(is_alone=True)
            else:
                self._finished.set_result("done")
        elif self._running or not self.checkpointer.is_idle:
            self.checkpointer.at_rest(is_alone=not self._running)
            if self._running:
                self._alarm.set(self.host, self.checkpointer.flush_soon)
        elif any(self._is_pending(operation_id) for operation_id in self._awaiting):
            self._finished.set_result("pending")
        else:
            self.failure = UsageError(
                "the handler waits for something that no operation will bring about (an event nobody sets, a future nobody "
                "completes, a queue nobody fills). Wait for steps, waits, callbacks, invokes or tasks that do."
            )
            self._finished.set_result("done")

    def _is_pending(self, operation_id: str) -> bool:
        """Whether the service will go on with this operation by itself."""
        record = self.journal.operations.get(operation_id)
        if record is None:
            return False
        if record.type == "STEP":
            return record.status == "PENDING"
        return record.status == "STARTED" and record.type != "CONTEXT"

    # -- ends ------------------------------------------------------------------

    def _fail(self, error: BaseException) -> None:
        if not self._finished.done():
            self._finished.set_exception(error)

    def _revoked(self) -> None:
        """The service took the token back: the execution is closed or pausing, and this invocation has to end."""
        if not self._finished.done():
            self._finished.set_result("pending")
            self.is_stale = True


def hash_seed(arn: str) -> int:
    return int.from_bytes(blake2b(arn.encode(), digest_size=6).digest(), "big")
