"""What the specification says of operations and histories, without a look at the machine: see test_same_on_every_store.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, cast

from tests.service.machine.test_properties import KINDS

from everstep.protocol.shapes import (
    TERMINAL,
    CallbackOptions,
    ChainedInvokeOptions,
    OperationAction,
    OperationUpdate,
    StepOptions,
    WaitOptions,
)
from everstep.service.machine.model import (
    Event,
    Execution,
)

LEGAL: Final[Mapping[str, Mapping[str | None, Mapping[str, str]]]] = {
    "STEP": {
        None: {"START": "STARTED", "SUCCEED": "SUCCEEDED", "FAIL": "FAILED", "RETRY": "PENDING"},
        "STARTED": {"SUCCEED": "SUCCEEDED", "FAIL": "FAILED", "RETRY": "PENDING"},
        "READY": {"START": "STARTED", "SUCCEED": "SUCCEEDED", "FAIL": "FAILED", "RETRY": "PENDING"},
    },
    "WAIT": {None: {"START": "STARTED"}, "STARTED": {"CANCEL": "CANCELLED"}},
    "CONTEXT": {
        None: {"START": "STARTED", "SUCCEED": "SUCCEEDED", "FAIL": "FAILED"},
        "STARTED": {"SUCCEED": "SUCCEEDED", "FAIL": "FAILED"},
    },
    "CALLBACK": {None: {"START": "STARTED"}},
    "CHAINED_INVOKE": {None: {"START": "STARTED"}},
}
"""Type, status before, action: status after. Source: spec 3.4 to 3.8."""
BY_TIME: Final = {("WAIT", "STARTED"): "SUCCEEDED", ("STEP", "PENDING"): "READY", ("CALLBACK", "STARTED"): "TIMED_OUT"}
"""What a timer does. Source: the same."""


class Seen:
    """An operation as the model last saw it."""

    def __init__(self, kind: str, status: str | None, parent_id: str | None, due_at: int | None) -> None:
        self.kind, self.status, self.parent_id, self.due_at = kind, status, parent_id, due_at


def outcome_of(known: Mapping[str, Seen], updates: Sequence[OperationUpdate]) -> dict[str, str] | None:
    """Where the updates bring their operations; None if they must be refused."""
    after: dict[str, str] = {}
    parents: dict[str, str | None] = {}
    sent: dict[str, list[str]] = {}
    contexts = {one for one, operation in known.items() if operation.kind == "CONTEXT"}
    for update in updates:
        earlier = sent.setdefault(update.id, [])
        closes = (update.type == "STEP" and update.action != "START") or (update.type == "CONTEXT" and update.action in ("SUCCEED", "FAIL"))
        if earlier and not (earlier == ["START"] and closes):
            return None
        earlier.append(update.action)
        if update.parent_id is not None and update.parent_id not in contexts:
            return None
        if update.type == "CONTEXT":
            contexts.add(update.id)
        recorded = known.get(update.id)
        if update.id in parents or recorded is not None:
            parent = parents.get(update.id, recorded.parent_id if recorded is not None else None)
            if update.parent_id is not None and update.parent_id != parent:
                return None
        else:
            parents[update.id] = update.parent_id
        status = after.get(update.id, recorded.status if recorded is not None else None)
        moved = LEGAL[update.type].get(status, {}).get(update.action)
        if moved is None:
            return None
        options = update.chained_invoke_options
        after[update.id] = "FAILED" if options is not None and options.function_name == "nothing" else moved
    return after


def legal_update(known: Mapping[str, Seen], operation_id: str, choice: int, parent_id: str | None) -> OperationUpdate | None:
    """One of the updates that the operation can take now; None if there is none."""
    kind = KINDS[operation_id[0]]
    recorded = known.get(operation_id)
    actions = cast("list[OperationAction]", sorted(LEGAL[kind].get(recorded.status if recorded is not None else None, {})))
    if not actions:
        return None
    action = actions[choice % len(actions)]
    parent = known.get(parent_id or "")
    has_parent = recorded is None and parent is not None and parent.kind == "CONTEXT" and parent_id != operation_id
    function = ("plain", "stock:1", "nothing", "plain")[choice]
    return OperationUpdate(
        id=operation_id,
        type=kind,
        action=action,
        parent_id=parent_id if has_parent else None,
        payload="1" if action in ("SUCCEED", "RETRY") else None,
        step_options=StepOptions(next_attempt_delay_seconds=choice + 1) if action == "RETRY" else None,
        wait_options=WaitOptions(wait_seconds=choice + 1) if kind == "WAIT" else None,
        callback_options=CallbackOptions(timeout_seconds=choice * 2, heartbeat_timeout_seconds=choice) if kind == "CALLBACK" else None,
        chained_invoke_options=ChainedInvokeOptions(function_name=function) if kind == "CHAINED_INVOKE" else None,
    )


# -- what must hold of a history. Source: spec 4.6


ENDS: Final = ("ExecutionSucceeded", "ExecutionFailed", "ExecutionStopped", "ExecutionTimedOut")
VERBS: Final = ("Started", "Succeeded", "Failed", "Cancelled", "TimedOut", "Stopped")


def check_history(execution: Execution, records: Mapping[int, str], events: Sequence[Event]) -> None:
    """records: the operations' statuses by order."""
    assert [event.event_id for event in events] == list(range(1, execution.events + 1))
    assert [event.timestamp for event in events] == sorted(event.timestamp for event in events)
    kinds = [event.type for event in events]
    assert kinds[0] == "ExecutionStarted"
    assert kinds.count("ExecutionStarted") == 1
    ends = [place for place, kind in enumerate(kinds) if kind in ENDS]
    assert len(ends) == (execution.ended_at is not None)
    assert all(kind == "InvocationCompleted" for place in ends for kind in kinds[place + 1 :]), "an end is the end"
    assert kinds.count("InvocationCompleted") == execution.invocations - (execution.invocation is not None)
    for order, status in records.items():
        if order > 0:
            check_operation([event.type for event in events if event.order == order], status)


def check_operation(kinds: Sequence[str], status: str) -> None:
    """The events of one operation."""
    verbs = [next(verb for verb in VERBS if kind.endswith(verb)) for kind in kinds]
    if status in TERMINAL:
        assert verbs[-1] == status.title().replace("_", "")
    assert verbs, "no operation without an event"
    is_step = kinds[0].startswith("Step")
    if not is_step:  # begun once, ended at most once; a context may end without a beginning
        assert verbs in (["Started"], ["Started", verbs[-1]], [verbs[-1]])
    assert ("Started", "Started") not in pairwise(verbs), "an attempt ends before the next begins"
