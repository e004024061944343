"""What a start returns: an execution to ask for its result."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from everstep.errors import ExecutionFailed
from everstep.protocol.shapes import ErrorObject
from everstep.service.machine.model import Execution

Out_co = TypeVar("Out_co", covariant=True)


class StartedExecution(Generic[Out_co]):
    """An execution, by its ARN. It is a mere reference: any number of them may stand for one execution."""

    def __init__(self, arn: str, ended: Callable[[str], Awaitable[Execution]], decode: Callable[[str | None], Out_co]) -> None:
        self.arn = arn
        self._ended, self._decode = ended, decode

    def __repr__(self) -> str:
        return f"<execution {self.arn}>"

    async def result(self) -> Out_co:
        """What the handler returned, as soon as it has. Raises ExecutionFailed if the execution did not succeed."""
        execution = await self._ended(self.arn)
        if execution.status != "SUCCEEDED":
            error = execution.error or ErrorObject()
            raise ExecutionFailed(self.arn, execution.status, error.error_type, error.error_message)
        return self._decode(execution.result)
