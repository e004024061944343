"""What an operator asks about all functions at once, which the Lambda API does not answer: our own operations.

Rule: bounded. A search that has to look into executions looks into SCANNED of them at most and then answers with what it found and a
marker, if need be with nothing; counting, which takes a look at everything, is done so seldom that it takes a hundredth of the time.
"""

from __future__ import annotations

from typing import Final

from everstep.protocol.limits import FUNCTION_NAME_PATTERN
from everstep.server import markers
from everstep.server.answers import Answer, ok
from everstep.server.backend import Backend
from everstep.server.errors import invalid
from everstep.server.requests import Call
from everstep.server.routes.executions import read_position, read_statuses
from everstep.server.shapes import ExecutionCount, ExecutionCounts, FoundExecution, FoundPage
from everstep.server.wire import function_arn_of, seconds
from everstep.service.machine.model import Execution
from everstep.service.machine.validation import check_execution_name
from everstep.service.stores.api import Filter

SCANNED: Final = 2_000
"""How many executions a search by error looks into for one page."""


async def list_executions(backend: Backend, call: Call) -> Answer:
    """Executions of every function, of those that have failed with an error if `ErrorType` names one."""
    name = call.text("DurableExecutionName") or None
    if name is not None:
        check_execution_name(name)
    function = call.text("FunctionName") or None
    if function is not None and not FUNCTION_NAME_PATTERN.fullmatch(function):
        raise invalid("FunctionName must be the name of a function, without ARN and qualifier")
    where = Filter(
        function=function,
        name=name,
        statuses=read_statuses(call.query.get("Statuses", ())),
        started_after=call.moment("StartedAfter"),
        started_before=call.moment("StartedBefore"),
    )
    error_type = call.text("ErrorType") or None
    oldest_first = call.flag("ReverseOrder", default=False)
    size = call.page_size()
    listing = ("list-all", where, error_type, oldest_first)
    after = None
    if marker := call.text("Marker"):
        after = read_position(markers.read(marker, listing, backend.now_ms()))
    limit = size if error_type is None else max(size, SCANNED)
    looked_at = await backend.engine.store.executions(where, limit=limit + 1, oldest_first=oldest_first, after=after)
    found: list[Execution] = []
    last: Execution | None = None
    for execution in looked_at[:limit]:
        if len(found) == size:
            break
        last = execution
        if error_type is None or (execution.error is not None and execution.error.error_type == error_type):
            found.append(execution)
    more = None
    if last is not None and last is not looked_at[-1]:
        more = markers.write(listing, [last.started_at, last.id], backend.now_ms())
    return ok(FoundPage(executions=[_found(execution) for execution in found], next_marker=more))


async def count_executions(backend: Backend, call: Call) -> Answer:
    counted = await backend.counts.now(backend.engine.store)
    counts = [ExecutionCount(function_name=function, status=status, count=number) for function, status, number in counted.tallies]
    return ok(ExecutionCounts(counts=counts, counted_timestamp=counted.at_s))


def _found(execution: Execution) -> FoundExecution:
    return FoundExecution(
        durable_execution_arn=execution.arn,
        durable_execution_name=execution.name,
        function_arn=function_arn_of(execution),
        status=execution.status,
        start_timestamp=seconds(execution.started_at),
        end_timestamp=None if execution.ended_at is None else seconds(execution.ended_at),
        error_type=None if execution.error is None else execution.error.error_type,
    )
