"""What an operator asks about all functions at once, which the Lambda API does not answer: our own operations.

Rule: bounded. A search that has to look into executions looks into SCANNED of them at most and then answers with what it found and a
marker, if need be with nothing; counting, which takes a look at everything, is done so seldom that it takes a hundredth of the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Final, cast, get_args

from everstep.protocol.limits import FUNCTION_NAME_PATTERN, MAX_NAME, NAME_PATTERN
from everstep.server import markers
from everstep.server.answers import Answer, ok
from everstep.server.backend import Backend
from everstep.server.errors import invalid
from everstep.server.requests import Call
from everstep.server.routes.executions import read_position, read_statuses
from everstep.server.shapes import ExecutionCount, ExecutionCounts, FoundExecution, FoundPage, WaitingOperation
from everstep.server.wire import function_arn_of, seconds
from everstep.service.machine.model import OPEN, Execution, Record
from everstep.service.machine.validation import Violations, check_execution_name
from everstep.service.machine.waiting import Waiting, WaitingType
from everstep.service.stores.api import Filter

SCANNED: Final = 2_000
"""How many executions a search by error or by waiting operation looks into for one page."""
SCANNED_OPERATIONS: Final = 50_000
"""And how many operations the latter, unless a single execution has more."""


async def list_executions(backend: Backend, call: Call) -> Answer:
    """Executions of every function; of those that failed with an error, or wait for an operation, if one is named."""
    error_type, waiting = call.text("ErrorType") or None, _read_waiting(call)
    if error_type is not None and waiting is not None:
        raise invalid("ErrorType finds executions that have failed, WaitingName and WaitingType those that go on: ask for one of them")
    where = _read_filter(call, waiting)
    oldest_first = call.flag("ReverseOrder", default=False)
    size = call.page_size()
    listing = ("list-all", where, error_type, waiting, oldest_first)
    after = None
    if marker := call.text("Marker"):
        after = read_position(markers.read(marker, listing, backend.now_ms()))
    store = backend.engine.store
    limit = size if error_type is None and waiting is None else max(size, SCANNED)
    candidates = await store.executions(where, limit=limit + 1, oldest_first=oldest_first, after=after)
    looked_at = _looked_at(candidates[:limit], waiting)
    waits: Mapping[str, Record] = {}
    if waiting is not None:
        waits = await store.waiting([one.id for one in looked_at], waiting)
    found: list[FoundExecution] = []
    last: Execution | None = None
    for execution in looked_at:
        if len(found) == size:
            break
        last = execution
        if (error_type is None or _failed_with(execution, error_type)) and (waiting is None or execution.id in waits):
            found.append(_found(execution, waits.get(execution.id)))
    more = None
    if last is not None and last is not candidates[-1]:
        more = markers.write(listing, [last.started_at, last.id], backend.now_ms())
    return ok(FoundPage(executions=found, next_marker=more))


def _failed_with(execution: Execution, error_type: str) -> bool:
    """error_type: with its module or without: shop.CardDeclined is a CardDeclined."""
    recorded = "" if execution.error is None else execution.error.error_type or ""
    return recorded == error_type or recorded.endswith(f".{error_type}")


def _read_waiting(call: Call) -> Waiting | None:
    """Raises Rejected."""
    name, kind = call.text("WaitingName") or None, call.text("WaitingType") or None
    if name is None and kind is None:
        return None
    violations = Violations()
    if name is not None:
        violations.pattern("waitingName", name, NAME_PATTERN, MAX_NAME, r"[\x20-\x7E]+")
    if kind is not None:
        violations.one_of("waitingType", kind, get_args(WaitingType))
    violations.reject()
    return Waiting(name=name, type=cast("WaitingType | None", kind))


def _read_filter(call: Call, waiting: Waiting | None) -> Filter:
    """Raises Rejected, ApiError."""
    name = call.text("DurableExecutionName") or None
    if name is not None:
        check_execution_name(name)
    function = call.text("FunctionName") or None
    if function is not None and not FUNCTION_NAME_PATTERN.fullmatch(function):
        raise invalid("FunctionName must be the name of a function, without ARN and qualifier")
    statuses = read_statuses(call.query.get("Statuses", ()))
    if waiting is not None:
        if statuses and not OPEN.intersection(statuses):
            raise invalid(f"WaitingName and WaitingType find executions that are {', '.join(sorted(OPEN))}: they have not ended")
        statuses = sorted(OPEN.intersection(statuses) or OPEN)
    return Filter(
        function=function,
        name=name,
        statuses=statuses,
        started_after=call.moment("StartedAfter"),
        started_before=call.moment("StartedBefore"),
    )


def _looked_at(candidates: Sequence[Execution], waiting: Waiting | None) -> Sequence[Execution]:
    """Those of them, from the first on, that are looked into: one at least."""
    if waiting is None:
        return candidates
    counts = accumulate(one.operations for one in candidates)
    return [one for one, count in zip(candidates, counts, strict=True) if count <= SCANNED_OPERATIONS] or candidates[:1]


async def count_executions(backend: Backend, call: Call) -> Answer:
    counted = await backend.counts.now(backend.engine.store)
    counts = [ExecutionCount(function_name=function, status=status, count=number) for function, status, number in counted.tallies]
    return ok(ExecutionCounts(counts=counts, counted_timestamp=counted.at_s))


def _found(execution: Execution, waits: Record | None) -> FoundExecution:
    return FoundExecution(
        durable_execution_arn=execution.arn,
        durable_execution_name=execution.name,
        function_arn=function_arn_of(execution),
        status=execution.status,
        start_timestamp=seconds(execution.started_at),
        end_timestamp=None if execution.ended_at is None else seconds(execution.ended_at),
        error_type=None if execution.error is None else execution.error.error_type,
        waiting_operation=None if waits is None else _waiting_operation(waits),
    )


def _waiting_operation(record: Record) -> WaitingOperation:
    operation = record.operation
    return WaitingOperation(
        id=operation.id,
        type=cast("WaitingType", operation.type),
        sub_type=operation.sub_type,
        name=operation.name,
        start_timestamp=seconds(operation.start_timestamp),
        due_timestamp=None if record.due_at is None else seconds(record.due_at),
    )
