"""The body of a child context, of a map item or of a parallel branch, and what is recorded of it.

Rule: once the context is recorded as finished its body does not run again, unless its result was too large to be recorded:
then the body runs over its recorded operations, and nothing is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias, cast

from msgspec import Struct

from everstep.errors import ChildContextError, OperationError, ServiceError
from everstep.failures import describe, restore
from everstep.protocol.limits import REPLAY_CHILDREN_ABOVE
from everstep.protocol.shapes import TERMINAL, ContextOptions, ErrorObject, Operation, OperationAction, OperationUpdate
from everstep.runtime.engine import Engine
from everstep.runtime.loop import DurableTask
from everstep.runtime.scope import Node, Scope
from everstep.serdes import Serdes

Body: TypeAlias = Callable[[Node], Awaitable[object]]
"""User code that runs over a context of its own, given that context's node."""


class ContextCall(Struct):
    """A context operation as it was called. error: the class that a recorded failure of it is raised as."""

    operation_id: str
    parent_id: str | None
    name: str | None
    sub_type: str
    serdes: Serdes[object]
    error: Callable[[ErrorObject | None], type[OperationError]] = lambda _: ChildContextError

    def update(
        self,
        action: OperationAction,
        *,
        payload: str | None = None,
        error: ErrorObject | None = None,
        replay_children: bool | None = None,
    ) -> OperationUpdate:
        return OperationUpdate(
            id=self.operation_id,
            type="CONTEXT",
            action=action,
            parent_id=self.parent_id,
            name=self.name,
            sub_type=self.sub_type,
            payload=payload,
            error=error,
            context_options=None if replay_children is None else ContextOptions(replay_children=replay_children),
        )


async def run_child(engine: Engine, call: ContextCall, scope: Scope, body: Body) -> object:
    """The child's value, read back from what is recorded of it. Raises `call.error` if it failed.

    scope: the child's own, in which its body runs.
    """
    engine.unawaited.pop(call.operation_id, None)
    recorded = engine.journal.operations.get(call.operation_id)
    if recorded is not None and recorded.status in TERMINAL:
        recorded = await engine.outcome(call.operation_id, None)
        if not replays_children(recorded):
            return context_value(engine, recorded, call)
    elif recorded is None:
        engine.send(call.update("START"), urgent=False)
    function = in_scope(scope, body)
    if engine.reporter is not None:
        function = engine.reporter.function(call, function, is_replaying_children=recorded is not None)
    try:
        value = await function
        plain = call.serdes.serialize(value)
        text = plain if recorded is not None and replays_children(recorded) else engine.texts.write(plain, call.operation_id)
    except ServiceError as unreachable:  # a stage's store: the invocation is tried again
        engine.fail(unreachable)
        raise
    except Exception as error:
        if engine.failure is not None:
            raise
        failure = call.update("FAIL", error=describe(error))
        recorded = await engine.outcome(call.operation_id, lambda: engine.send(failure, urgent=True))
        return context_value(engine, recorded, call)
    if recorded is not None and replays_children(recorded):
        return call.serdes.deserialize(plain)
    large = (len(text) if text.isascii() else len(text.encode())) > REPLAY_CHILDREN_ABOVE
    success = call.update("SUCCEED", payload="" if large else text, replay_children=large)
    recorded = await engine.outcome(call.operation_id, lambda: engine.send(success, urgent=True))
    return call.serdes.deserialize(plain) if large else context_value(engine, recorded, call)


def replays_children(recorded: Operation) -> bool:
    """Whether the context succeeded with a result too large to be recorded."""
    return recorded.status == "SUCCEEDED" and recorded.context_details is not None and bool(recorded.context_details.replay_children)


def context_value(engine: Engine, recorded: Operation, call: ContextCall) -> object:
    """The recorded value. Raises the recorded error."""
    details = recorded.context_details
    if recorded.status == "SUCCEEDED":
        text = details.result if details else None
        return None if text is None else call.serdes.deserialize(engine.texts.read(text, call.operation_id))
    if recorded.status == "FAILED":
        failure = details.error if details else None
    else:
        failure = ErrorObject(error_message=f"the context ended {recorded.status}")
    raise restore(failure, call.error(failure))


async def in_scope(scope: Scope, body: Body) -> object:
    """Run the body in its own scope, on the running task."""
    task = cast("DurableTask[object]", asyncio.current_task())
    outer, task.scope = task.scope, scope
    try:
        return await body(scope.node)
    finally:
        task.scope = outer
        if scope.node.state == "open":
            scope.node.state = "ended"


async def run_virtual(engine: Engine, scope: Scope, body: Body, serdes: Serdes[object]) -> object:
    """The value of a context that is not recorded itself: its operations are, under the context around it."""
    engine.unawaited.pop(scope.prefix, None)
    return serdes.deserialize(serdes.serialize(await in_scope(scope, body)))
