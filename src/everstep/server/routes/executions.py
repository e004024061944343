"""Executions as operators see them: described, listed, their histories read; stopped, paused, resumed and deleted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, cast, get_args

import msgspec

from everstep.errors import ServiceError
from everstep.protocol.ids import execution_id
from everstep.protocol.shapes import ExecutionStatus
from everstep.server import markers
from everstep.server.answers import Answer, ok
from everstep.server.backend import Backend
from everstep.server.errors import invalid, not_found
from everstep.server.references import LATEST, requested
from everstep.server.requests import Call, read_error
from everstep.server.shapes import (
    DeletionRequested,
    ExecutionPage,
    HistoryPage,
    Origin,
    PauseRequest,
    RelatedOperation,
    ResumeRequest,
    ShownCallSites,
    Stopped,
)
from everstep.server.wire import description, seconds, summary
from everstep.service.executions import UnknownExecution
from everstep.service.machine.execution import delete_execution, stop_execution
from everstep.service.machine.history import render_event
from everstep.service.machine.model import Execution, ForkPoint, ParentLink, Transition
from everstep.service.machine.pause import pause_execution, resume_execution
from everstep.service.machine.state import State
from everstep.service.machine.validation import Violations, check_execution_name
from everstep.service.stores.api import Filter, Position

MAX_HISTORY_BYTES: Final = 10 * 1024 * 1024
"""Of a page. A page has at least one event."""
ATTEMPTS: Final = 5
"""At a change that met with another one, made by somebody else at the same time."""
MAX_STATUSES: Final = 10
STATUSES: Final = get_args(ExecutionStatus)


async def get_execution(backend: Backend, call: Call) -> Answer:
    with_data = call.flag("IncludeExecutionData", default=True)
    return ok(description(await _read(backend, call.execution_arn), with_data=with_data))


async def get_origin(backend: Backend, call: Call) -> Answer:
    """An operation of ours, which AWS does not have."""
    terms = (await _read(backend, call.execution_arn)).terms
    return ok(Origin(parent=await _related(backend, terms.parent), forked_from=await _related(backend, terms.forked_from)))


async def _related(backend: Backend, link: ParentLink | ForkPoint | None) -> RelatedOperation | None:
    if link is None:
        return None
    try:
        other = await backend.engine.executions.read(link.execution_id)
    except UnknownExecution:  # it is not kept any more
        return None
    return RelatedOperation(durable_execution_arn=other.arn, operation_id=link.operation_id)


async def get_history(backend: Backend, call: Call) -> Answer:
    arn = call.execution_arn
    with_data = call.flag("IncludeExecutionData", default=True)
    newest_first = call.flag("ReverseOrder", default=False)
    size = call.page_size()
    listing = ("history", arn, newest_first)
    after: int | None = None
    if marker := call.text("Marker"):
        position = markers.read(marker, listing, backend.now_ms())
        after = position[0] if len(position) == 1 and isinstance(position[0], int) else None
    await _read(backend, arn)
    events = await backend.engine.store.events(execution_id(arn), limit=size + 1, newest_first=newest_first, after=after)
    state = await backend.engine.executions.state(execution_id(arn))  # asked last, so that it knows all that events name
    page: list[msgspec.Raw] = []
    room = MAX_HISTORY_BYTES
    for event in events[:size]:
        record = None if event.order is None else state.at(event.order)
        rendered = render_event(event, state.execution, record, with_data=with_data, timestamp=seconds)
        encoded = msgspec.json.encode(rendered)
        room -= len(encoded)
        if page and room < 0:
            break
        page.append(msgspec.Raw(encoded))
    more = None
    if len(page) < len(events):
        more = markers.write(listing, [events[len(page) - 1].event_id], backend.now_ms())
    return ok(HistoryPage(events=page, next_marker=more))


async def get_call_sites(backend: Backend, call: Call) -> Answer:
    """An operation of ours. Of code that is not here, or not what it was, nothing is said."""
    arn = call.execution_arn
    execution = await _read(backend, arn)
    function = backend.catalog.function(execution.function)
    version = None if function is None else function.versions.get(execution.version)
    if version is None:
        return ok(ShownCallSites(call_sites=[]))
    state = await backend.engine.executions.state(execution_id(arn))
    return ok(ShownCallSites(call_sites=await backend.call_sites.of(version.code, state.records.values())))


async def list_by_function(backend: Backend, call: Call) -> Answer:
    reference = requested(call.labels["FunctionName"], call.text("Qualifier"))
    name = call.text("DurableExecutionName")
    if name is not None:
        check_execution_name(name)
    statuses = read_statuses(call.query.get("Statuses", ()))
    started_after, started_before = call.moment("StartedAfter"), call.moment("StartedBefore")
    oldest_first = call.flag("ReverseOrder", default=False)
    size = call.page_size()
    found = backend.catalog.find(reference)
    if found is None:
        raise not_found(f"Function not found: {backend.catalog.arn(reference.name, reference.qualifier or LATEST)}")
    where = Filter(
        function=reference.name,
        version=None if reference.qualifier is None else found[1].number,
        name=name,
        statuses=statuses,
        started_after=started_after,
        started_before=started_before,
    )
    listing = ("list", where, oldest_first)
    after = None
    if marker := call.text("Marker"):
        after = read_position(markers.read(marker, listing, backend.now_ms()))
    executions = await backend.engine.store.executions(where, limit=size + 1, oldest_first=oldest_first, after=after)
    more = None
    if len(executions) > size:
        last = executions[size - 1]
        more = markers.write(listing, [last.started_at, last.id], backend.now_ms())
    return ok(ExecutionPage(durable_executions=[summary(execution) for execution in executions[:size]], next_marker=more))


def read_statuses(values: Sequence[str]) -> Sequence[ExecutionStatus]:
    """Raises Rejected."""
    violations = Violations()
    if len(values) > MAX_STATUSES:
        violations.range("statuses", len(values), 1, MAX_STATUSES)
    for number, value in enumerate(values, start=1):
        violations.one_of(f"statuses.{number}.member", value, STATUSES)
    violations.reject()
    return cast("Sequence[ExecutionStatus]", values)


def read_position(parts: list[int | str]) -> Position:
    """Where a marker of a listing of executions points to. Raises ApiError."""
    match parts:
        case [int(started_at), str(execution)]:
            return Position(started_at, execution)
        case _:
            raise invalid("Invalid Marker")


async def stop(backend: Backend, call: Call) -> Answer:
    error = read_error(call.body)
    execution = await _change(backend, call.execution_arn, lambda state, now: stop_execution(state, error, now))
    assert execution.ended_at is not None
    return ok(Stopped(stop_timestamp=seconds(execution.ended_at)))


async def pause(backend: Backend, call: Call) -> Answer:
    arn, request = call.execution_arn, call.members(PauseRequest)

    def command(state: State, now: int) -> Transition:
        stops_timeout = request.execution_timeout_paused
        return pause_execution(state, now, reason=request.reason, stops_timeout=stops_timeout, client_token=request.client_token)

    await _change(backend, arn, command)
    return ok({}, status=202)


async def resume(backend: Backend, call: Call) -> Answer:
    arn, request = call.execution_arn, call.members(ResumeRequest)
    await _change(backend, arn, lambda state, now: resume_execution(state, now, reason=request.reason, client_token=request.client_token))
    return ok({}, status=202)


async def delete(backend: Backend, call: Call) -> Answer:
    execution = await _change(backend, call.execution_arn, delete_execution)
    assert execution.deletion_requested_at is not None
    return ok(DeletionRequested(deletion_request_timestamp=seconds(execution.deletion_requested_at)), status=202)


async def _read(backend: Backend, arn: str) -> Execution:
    execution = await backend.engine.executions.read(execution_id(arn))
    if execution.arn != arn:
        raise UnknownExecution
    return execution


async def _change(backend: Backend, arn: str, command: Callable[[State, int], Transition]) -> Execution:
    def on_this(state: State, now: int) -> Transition:
        if state.execution.arn != arn:
            raise UnknownExecution
        return command(state, now)

    return (await performed(backend, execution_id(arn), on_this)).execution


async def performed(backend: Backend, execution: str, command: Callable[[State, int], Transition]) -> Transition:
    """Perform a command, again if somebody else changed the execution meanwhile. Raises Rejected or ServiceError."""
    for _ in range(ATTEMPTS - 1):
        try:
            return await backend.engine.executions.perform(execution, command)
        except ServiceError as error:
            if error.code != "Conflict":
                raise
    return await backend.engine.executions.perform(execution, command)
