"""What the body of a step may ask about the attempt that runs it."""

from __future__ import annotations

from contextvars import ContextVar

from msgspec import Struct

from everstep.errors import UsageError


class StepContext(Struct, frozen=True):
    """The running attempt. attempt: its number, from 1. name: the step's, if it has one."""

    attempt: int
    operation_id: str
    name: str | None
    execution_arn: str

    @property
    def log_fields(self) -> dict[str, object]:
        """What log records say of the attempt that they come from."""
        named = {} if self.name is None else {"operationName": self.name}
        return {"operationId": self.operation_id, "attempt": self.attempt, **named}


current_step: ContextVar[StepContext] = ContextVar("everstep_step")


def get_step_context() -> StepContext:
    """The attempt in whose body this is called. Raises UsageError anywhere else."""
    try:
        return current_step.get()
    except LookupError:
        raise UsageError("get_step_context() is for the body of a step (or submitter): nothing of the kind runs here") from None
