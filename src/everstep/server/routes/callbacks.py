"""Callbacks: what the outside world answers. A callback's id is all that it needs to know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from everstep.server.answers import NOTHING, Answer
from everstep.server.backend import Backend
from everstep.server.requests import Call, read_error, read_text
from everstep.server.routes.executions import performed
from everstep.service.executions import UnknownExecution
from everstep.service.machine.callback import complete_callback, heartbeat_callback
from everstep.service.machine.model import Outcome, Transition
from everstep.service.machine.rejection import callback_is_over
from everstep.service.machine.state import State
from everstep.service.machine.tokens import parse_callback_id

_ID: Final = "CallbackId"


async def succeed(backend: Backend, call: Call) -> Answer:
    """The body is the result, as it is; an empty one is no result."""
    result = read_text(call.body, "Result") if call.body else None
    return await _complete(backend, call.labels[_ID], Outcome(status="SUCCEEDED", result=result))


async def fail(backend: Backend, call: Call) -> Answer:
    """The body is the error."""
    return await _complete(backend, call.labels[_ID], Outcome(status="FAILED", error=read_error(call.body)))


async def heartbeat(backend: Backend, call: Call) -> Answer:
    callback_id = call.labels[_ID]
    return await _perform(backend, callback_id, lambda state, now: heartbeat_callback(state, callback_id, now))


async def _complete(backend: Backend, callback_id: str, outcome: Outcome) -> Answer:
    return await _perform(backend, callback_id, lambda state, now: complete_callback(state, callback_id, outcome, now))


async def _perform(backend: Backend, callback_id: str, command: Callable[[State, int], Transition]) -> Answer:
    try:
        await performed(backend, parse_callback_id(callback_id).execution_id, command)
    except UnknownExecution:
        raise callback_is_over() from None
    return NOTHING
