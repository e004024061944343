"""Made-up rows for the tests of stores."""

from __future__ import annotations

from hashlib import blake2b

from everstep.protocol.shapes import ErrorObject, ExecutionStatus, Operation, StepDetails
from everstep.service.machine.model import Event, Execution, Record
from everstep.service.stores.api import Write

NOON = 1_764_849_600_000


def hashed(text: str) -> str:
    return blake2b(text.encode()).hexdigest()[:64]


def execution(
    identity: str = "e-1",
    *,
    revision: int = 1,
    name: str | None = None,
    function: str = "order",
    version: str = "$LATEST",
    status: ExecutionStatus = "RUNNING",
    started_at: int = NOON,
    due_at: int | None = None,
    input_payload: str | None = None,
    result: str | None = None,
    error: ErrorObject | None = None,
) -> Execution:
    name = name or f"name-of-{identity}"
    return Execution(
        id=identity,
        arn=f"arn:aws:lambda:us-east-1:123456789012:function:{function}:{version}/durable-execution/{name}/{identity}",
        name=name,
        function=function,
        version=version,
        status=status,
        revision=revision,
        started_at=started_at,
        due_at=due_at,
        input=input_payload,
        result=result,
        error=error,
    )


def step(order: int, *, revision: int = 1, result: str | None = None) -> Record:
    return Record(
        operation=Operation(
            id=hashed(str(order)),
            type="STEP",
            status="STARTED" if result is None else "SUCCEEDED",
            start_timestamp=NOON + order,
            end_timestamp=None if result is None else NOON + order + 1,
            name="charge",
            sub_type="Step",
            step_details=StepDetails(attempt=0 if result is None else 1, result=result),
        ),
        order=order,
        revision=revision,
    )


def step_events(order: int) -> list[Event]:
    return [
        Event(event_id=2 * order, type="StepStarted", timestamp=NOON + order, order=order),
        Event(
            event_id=2 * order + 1,
            type="StepSucceeded",
            timestamp=NOON + order,
            order=order,
            details={"RetryDetails": {"CurrentAttempt": 1}},
        ),
    ]


def step_write(identity: str, revision: int, *, result: str = "{}", due_at: int | None = None) -> Write:
    """A write that records one step, with order and both event ids by the revision."""
    return Write(
        execution=execution(identity, revision=revision, due_at=due_at),
        records=[step(revision, revision=revision, result=result)],
        events=step_events(revision),
    )
