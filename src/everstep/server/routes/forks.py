"""Forks: new executions that begin where others stood. An operation of ours, which AWS does not have."""

from __future__ import annotations

from everstep.protocol.ids import execution_id
from everstep.server.answers import Answer, ok
from everstep.server.backend import Backend
from everstep.server.requests import Call
from everstep.server.shapes import Forked, ForkRequest
from everstep.service.executions import UnknownExecution


async def fork(backend: Backend, call: Call) -> Answer:
    arn, asked = call.execution_arn, call.members(ForkRequest)
    engine = backend.engine
    source = await engine.executions.read(execution_id(arn))
    if source.arn != arn:
        raise UnknownExecution
    execution = await engine.fork(source.id, asked.operation, name=asked.name, result=asked.result)
    return ok(Forked(durable_execution_arn=execution.arn), status=201)
