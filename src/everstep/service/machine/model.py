"""The service's own records: an execution, its operations, its events, and the change that a command makes.

Rule: records are immutable and hold everything that must survive a restart; a Transition is the whole change of one
command, and becomes durable as a whole or not at all. Times are integer milliseconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from everstep.protocol.limits import MAX_RESULT_ASYNC
from everstep.protocol.shapes import ErrorObject, ExecutionStatus, Operation

JsonObject: TypeAlias = Mapping[str, object]

OPEN: Final[frozenset[ExecutionStatus]] = frozenset({"RUNNING", "PAUSING", "PAUSED"})
"""The statuses of an execution that has not closed."""


class Outcome(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How something that was waited for has ended: a callback, a called function, a child execution."""

    status: Literal["SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED"]
    result: str | None = None
    error: ErrorObject | None = None


class ParentLink(Struct, frozen=True, kw_only=True):
    """The CHAINED_INVOKE operation that waits for an execution."""

    execution_id: str
    operation_id: str


class ForkPoint(Struct, frozen=True, kw_only=True):
    """Where an execution was forked from another."""

    execution_id: str
    operation_id: str


class Terms(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is fixed when an execution starts.

    result_limit: of the result, in bytes; it depends on how the execution was started.
    invoked_as: the function's ARN as the caller qualified it, for the handler's context.
    """

    timeout_s: int
    retention_days: int = 14
    result_limit: int = MAX_RESULT_ASYNC
    parent: ParentLink | None = None
    forked_from: ForkPoint | None = None
    tenant_id: str | None = None
    trace_header: str | None = None
    invoked_as: str | None = None


class NewExecution(Struct, frozen=True, kw_only=True):
    """What it takes to start an execution. version: as resolved, "$LATEST" or a number."""

    id: str
    arn: str
    name: str
    function: str
    version: str
    terms: Terms
    input: str | None = None


class PlainTarget(Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """A chained invoke's function that is not durable.

    timeout_s: after which the service gives the call up by itself, None if its invoker sees to that.
    """

    function: str
    version: str
    timeout_s: int | None = None


class DurableTarget(Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """A chained invoke's function that is durable, with the identity that its execution gets if it is started."""

    function: str
    version: str
    id: str
    arn: str
    name: str
    timeout_s: int
    retention_days: int = 14
    invoked_as: str | None = None


Target: TypeAlias = PlainTarget | DurableTarget


class ChainedCall(Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """Kept with a CHAINED_INVOKE: what it calls, and an outcome that arrived while the handler ran."""

    function_name: str
    target: Target
    input: str | None = None
    tenant_id: str | None = None
    trace_header: str | None = None
    arrived: Outcome | None = None


class CallbackTimers(Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """Kept with a CALLBACK. expires_at: end of its overall timeout. heartbeat_due_at: by when the next heartbeat must come."""

    expires_at: int | None = None
    heartbeat_s: int | None = None
    heartbeat_due_at: int | None = None


class Record(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An operation, with what the service alone knows about it.

    order: position among the execution's operations, by when they began; the EXECUTION operation is 0. Never changes.
    revision: the execution's revision at which the operation last changed (what is `kept` may change without it).
    due_at: when a timer has to act on it (end of a wait, next attempt, timeout), None if none.
    """

    operation: Operation
    order: int
    revision: int
    due_at: int | None = None
    kept: CallbackTimers | ChainedCall | None = None


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the history. event_id: 1, 2, 3, … without gaps, fixed when the change is committed.

    order: of the operation it is about, 0 for the execution itself, None for invocations.
    details: the `<EventType>Details` member in wire form, without what execution and record still hold (see history.py).
    """

    event_id: int
    type: str
    timestamp: int
    order: int | None = None
    details: JsonObject = {}


class Answered(Struct, frozen=True, kw_only=True):
    """The last checkpoint of an invocation, so that the same request gets the same answer again.

    seen: the revision up to which the handler knew the operations before that answer.
    """

    client_token: str
    at: int
    seen: int


class Invocation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The one invocation that is running.

    number: 1 for the execution's first. checkpoints: how many were accepted; the valid token carries this number.
    secret: from which its tokens are derived. seen_before: the revision that the handler knew before this invocation.
    expires_at: when the service gives it up if nothing was heard of it, None if somebody else watches over it.
    is_cut_short: its token was withheld by a pause, so it can do nothing more than end.
    """

    number: int
    request_id: str
    secret: bytes
    started_at: int
    seen_before: int
    expires_at: int | None = None
    checkpoints: int = 0
    answered: Answered | None = None
    is_cut_short: bool = False


class Pause(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The last pause that was asked for.

    began_at: when the execution stood still, None while an invocation runs on. held: the timeout that it stopped then.
    """

    requested_at: int
    stops_timeout: bool = True
    reason: str | None = None
    client_token: str | None = None
    began_at: int | None = None
    held: int | None = None


class Resume(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The last resume that was asked for."""

    requested_at: int
    reason: str | None = None
    client_token: str | None = None


class Execution(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One execution, without its operations.

    revision: 1 when created, one more with each committed transition: a store refuses a write that skips one.
    due_at: the earliest instant at which the service must act by itself (a timer, a timeout, an invocation, the end of
        retention); while an invocation runs, that of the execution's and the invocation's timeout alone.
    times_out_at: None once closed; while a pause stops the timeout, the end of the longest that an execution may take.
    operations, events: how many there are; the next operation's order, the last event's id.
    used, written_bytes: what counts against the quotas.
    seen: the revision up to which the handler knows the operations.
    clock_ms, clock_order: the last timestamp given, and the largest order that was completed at it (see clock.py).
    invocations: how many have begun. invoke_at: from when the next one is owed, None if none is.
    failures, empty_pendings: how many invocations in a row failed, or answered PENDING with nothing pending.
    calls: chained invokes that have not ended.
    owes_parent: closed, and the parent has not taken the outcome yet.
    """

    id: str
    arn: str
    name: str
    function: str
    version: str
    status: ExecutionStatus
    revision: int
    started_at: int
    terms: Terms = Terms(timeout_s=86_400)
    ended_at: int | None = None
    due_at: int | None = None
    input: str | None = None
    result: str | None = None
    error: ErrorObject | None = None
    times_out_at: int | None = None
    operations: int = 1
    events: int = 1
    used: int = 1
    written_bytes: int = 0
    seen: int = 1
    clock_ms: int = 0
    clock_order: int = 0
    invocations: int = 0
    invocation: Invocation | None = None
    invoke_at: int | None = None
    failures: int = 0
    empty_pendings: int = 0
    pause: Pause | None = None
    resume: Resume | None = None
    calls: int = 0
    owes_parent: bool = False
    deletion_requested_at: int | None = None


class InvokeHandler(Struct, frozen=True, kw_only=True, tag=True):
    """An invocation is owed now: call `begin_invocation`. May be said more than once; only one begins."""

    execution_id: str


class CallFunction(Struct, frozen=True, kw_only=True, tag=True):
    """Invoke a plain function once, in the background, and hand its outcome to `complete_chained_invoke`."""

    parent: ParentLink
    target: PlainTarget
    payload: str
    tenant_id: str | None = None
    trace_header: str | None = None


class StartChild(Struct, frozen=True, kw_only=True, tag=True):
    """Start the child execution unless it exists; if it has ended, hand its outcome to `complete_chained_invoke`."""

    start: NewExecution


class NotifyParent(Struct, frozen=True, kw_only=True, tag=True):
    """Hand the outcome to the parent's `complete_chained_invoke`, then `parent_notified` on the child."""

    child_id: str
    parent: ParentLink
    outcome: Outcome


class ExecutionEnded(Struct, frozen=True, kw_only=True, tag=True):
    """The execution has closed: whoever waits for it can be answered."""

    execution_id: str


class DeleteExecution(Struct, frozen=True, kw_only=True, tag=True):
    """Remove the execution from the store, with all that belongs to it."""

    execution_id: str


Effect: TypeAlias = InvokeHandler | CallFunction | StartChild | NotifyParent | ExecutionEnded | DeleteExecution


class Reply(Struct, frozen=True, kw_only=True):
    """The answer to a checkpoint.

    token: for the next one. None: the execution is closed or pausing, and the invocation must end.
    operations: what changed since the invocation last saw state, by order.
    """

    token: str | None
    operations: tuple[Operation, ...]


class Notice(Struct, frozen=True):
    """A webhook is owed an event, since `at`. id: the same for every webhook and every attempt, so that receivers can tell a repetition."""

    webhook: str
    id: str
    body: str
    at: int


class Transition(Struct, frozen=True, kw_only=True):
    """The whole change that one command makes: the new execution row, changed operations, new events; then effects.

    notices: what webhooks are owed for it; whoever writes the transition adds them, see notices.py.

    Nothing to write: `execution` is the one that the command was given (effects may still be due).
    """

    execution: Execution
    records: tuple[Record, ...] = ()
    events: tuple[Event, ...] = ()
    effects: tuple[Effect, ...] = ()
    reply: Reply | None = None
    notices: tuple[Notice, ...] = ()
