"""Calling the handler: when an invocation begins, what it is given, and what follows from how it ends.

Rule: at most one runs at a time. It is owed when something has changed that the handler has not seen; whoever performs
an InvokeHandler effect asks `begin_invocation`, which alone decides, and reports each beginning's end exactly once. A
report about another invocation than the running one changes nothing.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from everstep.protocol.shapes import ErrorObject, InvocationOutput, Operation
from everstep.service.machine import execution
from everstep.service.machine.change import Change, is_invocation_due
from everstep.service.machine.model import Invocation, JsonObject, Transition
from everstep.service.machine.output import parse_output
from everstep.service.machine.pause import stand_still
from everstep.service.machine.rules import RULES, Rules, backoff_ms
from everstep.service.machine.sizes import text_bytes
from everstep.service.machine.state import State
from everstep.service.machine.timers import fire_due
from everstep.service.machine.tokens import mint_token
from everstep.service.machine.view import is_visible, visible
from everstep.service.machine.wire import payload_of

NOTHING_PENDING: Final = "Cannot return PENDING status with no pending operations."
LOST: Final = ErrorObject(
    error_type="Runtime.ExitError", error_message="The invocation ended without an answer: its process or host is gone."
)

IN_EXECUTION: Final[JsonObject] = {}
"""An InvocationCompleted's error that is the execution's own, and not repeated."""


class Begun(Struct, frozen=True, kw_only=True):
    """An invocation, to be sent to the function once the transition is recorded.

    updated: ids of the operations that the service has changed since the handler last saw state.
    """

    transition: Transition
    invocation: Invocation
    token: str
    updated: tuple[str, ...]
    state: State

    def operations(self) -> tuple[Operation, ...]:
        """What the handler may read as the invocation begins, by order; the EXECUTION operation is first.

        Looks at every operation, so ask only if they have to be sent.
        """
        changed = {record.operation.id: record for record in self.transition.records}
        return visible((self.state.records | changed).values())


def begin_invocation(state: State, request_id: str, secret: bytes, now: int, *, expires_at: int | None = None) -> Begun | None:
    """The invocation that is owed, None if none is (any more, or yet).

    secret: fresh and unguessable, up to 64 bytes. expires_at: when `fire_timers` shall count it as lost.
    """
    known = state.execution
    if not is_invocation_due(known, now) or (known.times_out_at is not None and known.times_out_at <= now):
        return None
    change = Change(state, now)
    fire_due(change)  # what is due at the same time needs no invocation of its own
    invocation = Invocation(
        number=known.invocations + 1,
        request_id=request_id,
        secret=secret,
        started_at=change.stamp,
        seen_before=known.seen,
        expires_at=expires_at,
    )
    news = [record for record in change.unseen() if record.order > 0]
    change.execution = replace(change.execution, invocation=invocation, invocations=invocation.number, invoke_at=None, seen=change.revision)
    return Begun(
        transition=change.finish(),
        invocation=invocation,
        token=mint_token(known.id, invocation.number, 0, secret),
        updated=tuple(record.operation.id for record in news if is_visible(record.operation, state.records)),
        state=state,
    )


def invocation_succeeded(state: State, request_id: str, output: str | InvocationOutput, now: int, *, rules: Rules = RULES) -> Transition:
    """The function has answered. output: its JSON text, or that in parsed form."""
    change = Change(state, now, rules)
    invocation = _running(change, request_id)
    if invocation is None:
        return change.finish()
    answer = _acceptable(change, output)
    if not change.is_open:
        _end(change, invocation, _error_of(answer))
    elif change.execution.status == "PAUSED":
        # The pause withheld the token: whatever it answers, it could not record all that led there.
        _end(change, invocation, _error_of(answer))
        _go_on(change, invoke_at=now)
    elif isinstance(answer, ErrorObject):
        _end(change, invocation, IN_EXECUTION)
        execution.fail(change, answer)
    elif answer.status == "PENDING":
        _end(change, invocation, None)
        _suspend(change, invocation)
    elif answer.status == "FAILED":
        _end(change, invocation, IN_EXECUTION)
        execution.fail(change, answer.error)
    else:
        _end(change, invocation, None)
        execution.succeed(change, answer.result)
    return change.finish()


def invocation_failed(state: State, request_id: str, error: ErrorObject, now: int, *, jitter: float, rules: Rules = RULES) -> Transition:
    """The function raised, crashed, ran out of time or could not be reached: it is tried again after a while. jitter: 0 to 1."""
    change = Change(state, now, rules)
    invocation = _running(change, request_id)
    if invocation is None:
        return change.finish()
    _end(change, invocation, payload_of(error))
    if not change.is_open:
        return change.finish()
    if invocation.is_cut_short:  # older SDKs take a withheld token for an error
        _go_on(change, invoke_at=now)
    else:
        change.use_attempt()
        _try_again(change, error, jitter)
    return change.finish()


def invocation_lost(state: State, request_id: str, now: int, *, error: ErrorObject = LOST) -> Transition:
    """The invocation's end will never be known: the next one begins at once, and nothing is charged."""
    change = Change(state, now)
    invocation = _running(change, request_id)
    if invocation is not None:
        lose(change, invocation, error)
    return change.finish()


def lose(change: Change, invocation: Invocation, error: ErrorObject = LOST) -> None:
    """Go on without the running invocation."""
    _end(change, invocation, payload_of(error))
    if change.is_open:
        _go_on(change, invoke_at=change.now)


def _running(change: Change, request_id: str) -> Invocation | None:
    invocation = change.execution.invocation
    return invocation if invocation is not None and invocation.request_id == request_id else None


def _acceptable(change: Change, output: str | InvocationOutput) -> InvocationOutput | ErrorObject:
    """The output, or the error of one that breaks the rules."""
    answer = parse_output(output)
    limit = change.execution.terms.result_limit
    if not isinstance(answer, str) and text_bytes(answer.result) > limit:
        answer = execution.too_large(limit)
    if isinstance(answer, str):
        return ErrorObject(error_type="InvalidParameterValueException", error_message=answer)
    return answer


def _error_of(answer: InvocationOutput | ErrorObject) -> JsonObject | None:
    """What the history says about an answer that decides nothing."""
    if isinstance(answer, ErrorObject):
        return payload_of(answer)
    return payload_of(answer.error) if answer.status == "FAILED" else None


def _end(change: Change, invocation: Invocation, error: JsonObject | None) -> None:
    """Record that the running invocation is over. error: in its wrapper."""
    details: dict[str, object] = {
        "StartTimestamp": invocation.started_at,
        "EndTimestamp": change.stamp,
        "RequestId": invocation.request_id,
    }
    if error is not None:
        details["Error"] = error
    change.emit("InvocationCompleted", None, details)
    _forget(change, invocation, is_answered=error is None)


def _forget(change: Change, invocation: Invocation, *, is_answered: bool = False) -> None:
    """No invocation runs now. If nothing was heard of this one, the next is told the same changes."""
    knew = is_answered or invocation.checkpoints > 0
    change.execution = replace(change.execution, invocation=None, seen=change.execution.seen if knew else invocation.seen_before)


def _suspend(change: Change, invocation: Invocation) -> None:
    """The handler can go no further until something changes; perhaps that has happened already."""
    change.execution = replace(change.execution, failures=0)
    fire_due(change)
    if invocation.is_cut_short or change.unseen():
        _go_on(change, invoke_at=change.now)
    elif change.pending():
        change.execution = replace(change.execution, empty_pendings=0)
        _go_on(change, invoke_at=None)
    elif change.execution.empty_pendings < change.rules.max_empty_pendings:
        change.execution = replace(change.execution, empty_pendings=change.execution.empty_pendings + 1)
        _go_on(change, invoke_at=change.now)
    else:
        execution.fail(change, ErrorObject(error_type="InvalidParameterValueException", error_message=NOTHING_PENDING))


def _try_again(change: Change, error: ErrorObject, jitter: float) -> None:
    failures = change.execution.failures + 1
    change.execution = replace(change.execution, failures=failures)
    if change.rules.max_failures is not None and failures >= change.rules.max_failures:
        execution.fail(change, error)
    else:
        _go_on(change, invoke_at=change.now + backoff_ms(failures, jitter))


def _go_on(change: Change, *, invoke_at: int | None) -> None:
    """Stay open. invoke_at: when the next invocation is owed; None: as soon as something changes."""
    change.execution = replace(change.execution, invoke_at=invoke_at)
    fire_due(change)
    if change.execution.status == "PAUSING":
        stand_still(change)
