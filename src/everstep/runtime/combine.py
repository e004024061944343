"""Runs a combinator: its members as tasks, an end as soon as it is decided, the decision recorded.

Rule: on replay the members that the decision rests on are run over their records, and no others. Members that the decision
does not need are cancelled, after which their outcome is of no interest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Sequence

from everstep.operations.combination import Combinator, Decision, Settled, decide, decision_text, read_decision
from everstep.protocol.shapes import TERMINAL
from everstep.runtime.child import ContextCall, context_value
from everstep.runtime.engine import Engine
from everstep.runtime.loop import DurableTask
from everstep.runtime.scope import Scope


async def combine(
    engine: Engine, scope: Scope, call: ContextCall, combinator: Combinator, members: Sequence[Awaitable[object]]
) -> tuple[Decision, list[Settled[object]]]:
    """The decision, and how the members that it rests on ended: the winner, or all of them in order.

    scope: of the code that combines; each member gets a scope of its own from it.
    """
    engine.unawaited.pop(call.operation_id, None)
    recorded = engine.journal.operations.get(call.operation_id)
    if recorded is not None and recorded.status in TERMINAL:
        recorded = await engine.outcome(call.operation_id, None)
        context_value(engine, recorded, call)
        details = recorded.context_details
        decision = read_decision((details and details.result) or "")
        needed = range(len(members)) if decision.winner is None else [decision.winner]
        for index, member in enumerate(members):
            if index not in needed:
                _abandon(member)
        return decision, [await _settled(_member(engine, scope, call, index, members[index])) for index in needed]
    if recorded is None:
        engine.send(call.update("START"), urgent=False)
    tasks = [_member(engine, scope, call, index, member) for index, member in enumerate(members)]
    try:
        decision = await _decided(engine, combinator, tasks)
    finally:
        for task in tasks:
            if not task.done():
                task.cancel()
            elif not task.cancelled():
                task.exception()  # looked at, so that asyncio does not report it
    success = call.update("SUCCEED", payload=decision_text(decision))
    await engine.outcome(call.operation_id, lambda: engine.send(success, urgent=True))
    needed = range(len(members)) if decision.winner is None else [decision.winner]
    return decision, [await _settled(tasks[index]) for index in needed]


async def _decided(engine: Engine, combinator: Combinator, tasks: Sequence[DurableTask[object]]) -> Decision:
    finished: asyncio.Queue[asyncio.Future[object]] = asyncio.Queue()
    for task in tasks:
        task.add_done_callback(finished.put_nowait)
    places: dict[asyncio.Future[object], int] = {task: index for index, task in enumerate(tasks)}
    ended: list[tuple[int, bool]] = []
    while True:
        decision = decide(combinator, ended, len(tasks))
        if decision is not None:
            return decision
        member = await finished.get()
        if member.cancelled():
            raise asyncio.CancelledError
        error = member.exception()
        if engine.failure is not None:
            raise engine.failure
        ended.append((places[member], error is None))


def _member(engine: Engine, scope: Scope, call: ContextCall, index: int, member: Awaitable[object]) -> DurableTask[object]:
    return engine.loop.new_task(_awaited(member), scope.of_member(call.operation_id, index), name=f"{call.sub_type} {index}")


async def _awaited(member: Awaitable[object]) -> object:
    return await member


async def _settled(task: DurableTask[object]) -> Settled[object]:
    try:
        return Settled("SUCCEEDED", value=await task)
    except Exception as error:
        return Settled("FAILED", error=error)


def _abandon(member: Awaitable[object]) -> None:
    if isinstance(member, asyncio.Future):
        member.cancel()
    elif isinstance(member, Coroutine):
        member.close()
