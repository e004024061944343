"""A checkpoint: the updates that a running handler sends, recorded all or none, and answered with everything it has missed.

Rule: checks come in the order in which the service makes them, for the message tells which came first: members, a
repeated request, the token, the batch as a whole, then update by update. Due timers are fired after the updates.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from everstep.protocol.shapes import Operation, OperationUpdate
from everstep.service.machine import callback, context, execution, invoke, step, wait
from everstep.service.machine.batch import check_batch, check_outcome, check_update
from everstep.service.machine.change import Change
from everstep.service.machine.invoke import Resolve
from everstep.service.machine.model import OPEN, Answered, Invocation, Reply, Transition
from everstep.service.machine.pause import stand_still
from everstep.service.machine.rejection import INVALID_TOKEN, invalid
from everstep.service.machine.rules import IDEMPOTENCY_WINDOW_MS, RULES, Rules
from everstep.service.machine.state import State
from everstep.service.machine.timers import fire_due
from everstep.service.machine.tokens import is_same, mint_token, parse_token
from everstep.service.machine.validation import check_checkpoint
from everstep.service.machine.view import visible


def checkpoint(
    state: State,
    token: str,
    updates: Sequence[OperationUpdate],
    client_token: str | None,
    now: int,
    *,
    resolve: Resolve,
    rules: Rules = RULES,
) -> tuple[Transition, Reply]:
    """Record `updates`, in order. No updates: ask what has changed.

    resolve: finds the function that a chained invoke names. The transition has nothing to write if the request is the
    last one over again. Raises Rejected.
    """
    check_checkpoint(token, updates, client_token)
    repeated = _answer_again(state, token, client_token, now)
    if repeated is not None:
        return Transition(execution=state.execution, reply=repeated), repeated
    invocation = check_token(state, token)
    check_batch(state, updates)
    change = Change(state, now, rules)
    change.set_stamp(_first_completed(state, updates))
    for update in updates:
        _apply(change, update, resolve)
    if change.is_open:
        fire_due(change)
    is_last = change.execution.status != "RUNNING"
    if change.execution.status == "PAUSING":
        stand_still(change)
    operations = tuple(record.operation for record in change.unseen())
    accepted = invocation.checkpoints + 1
    answered = None if client_token is None or is_last else Answered(client_token=client_token, at=now, seen=change.execution.seen)
    change.execution = replace(
        change.execution,
        seen=change.revision,
        invocation=replace(invocation, checkpoints=accepted, answered=answered, is_cut_short=is_last),
    )
    next_token = None if is_last else mint_token(state.execution.id, invocation.number, accepted, invocation.secret)
    reply = Reply(token=next_token, operations=operations)
    return change.finish(reply), reply


def check_token(state: State, token: str) -> Invocation:
    """The running invocation, which alone holds this token. Raises Rejected."""
    invocation = state.execution.invocation
    valid = state.token
    if invocation is not None and valid is not None and is_same(token, valid):
        return invocation
    owner = parse_token(token)
    if owner is not None and owner.execution_id != state.execution.id:
        raise invalid("Checkpoint token is not valid for the durable execution ARN")
    raise invalid(INVALID_TOKEN)


def _answer_again(state: State, token: str, client_token: str | None, now: int) -> Reply | None:
    """The answer to the last checkpoint, if this is the same request once more."""
    known = state.execution
    invocation = known.invocation
    if client_token is None or invocation is None or known.status not in OPEN:
        return None
    answered = invocation.answered
    if answered is None or answered.client_token != client_token or now - answered.at >= IDEMPOTENCY_WINDOW_MS:
        return None
    if not is_same(token, mint_token(known.id, invocation.number, invocation.checkpoints - 1, invocation.secret)):
        return None
    if state.last_reply is not None:
        return state.last_reply
    # Worked out anew after a restart: operations that have changed once more since then are told as they are now.
    changed = tuple(record.operation for record in state.records.values() if record.revision > answered.seen)
    return Reply(token=state.token, operations=changed)


def _first_completed(state: State, updates: Sequence[OperationUpdate]) -> int | None:
    """The smallest order among the known operations that the updates complete, None if there are none."""
    first: int | None = None
    for update in updates:
        if update.action not in ("START", "RETRY"):
            record = state.records.get(update.id)
            if record is not None and (first is None or record.order < first):
                first = record.order
    return first


def _apply(change: Change, update: OperationUpdate, resolve: Resolve) -> None:
    record = None if update.type == "EXECUTION" else change.record(update.id)
    check_update(change, update, record)
    check_outcome(update)
    match update.type:
        case "STEP":
            step.apply(change, update, record)
        case "CONTEXT":
            context.apply(change, update, record)
        case "WAIT":
            wait.apply(change, update, record)
        case "CALLBACK":
            callback.apply(change, update, record)
        case "CHAINED_INVOKE":
            invoke.apply(change, update, record, resolve)
        case "EXECUTION":
            execution.apply(change, update)


def readable_operations(state: State, token: str) -> tuple[Operation, ...]:
    """All operations that the invocation holding `token` may read, by order. Reading uses nothing up. Raises Rejected."""
    check_token(state, token)
    return visible(state.records.values())
