"""Waiting until there is something new, instead of asking again and again: an operation of our own.

Rule: a wait costs the server nothing while nothing changes, and ends when the server stops.
"""

from __future__ import annotations

from typing import Final

from everstep.protocol.ids import execution_id
from everstep.server.answers import Answer, ok
from everstep.server.backend import Backend
from everstep.server.errors import invalid
from everstep.server.requests import Call, check_execution_arn
from everstep.server.shapes import Change
from everstep.service.executions import UnknownExecution

LONGEST_WAIT_S: Final = 20
MAX_POSITION: Final = 128


async def await_change(backend: Backend, call: Call) -> Answer:
    """Where an execution, or all of them, stand: as soon as that is another position than the one given, or when the wait is over."""
    arn, seen = call.text("DurableExecutionArn") or None, call.text("Position") or ""
    wait_s = call.whole_number("WaitSeconds", default=0, least=0, most=LONGEST_WAIT_S)
    if len(seen) > MAX_POSITION:
        raise invalid("Invalid Position")
    changes = backend.engine.changes
    if arn is None:
        waiting = changes.of_any(seen, wait_s)
    else:
        identity = execution_id(check_execution_arn(arn))
        if (await backend.engine.executions.read(identity)).arn != arn:
            raise UnknownExecution
        waiting = changes.of(identity, seen, wait_s)
    return ok(Change(position=await backend.until_closing(waiting)))
