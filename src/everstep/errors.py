"""Every public exception, one family.

Rule: below the base it says whose move it is. UsageError: change your code. ServiceError: what the other side said.
OperationError: an operation of yours failed, with what was recorded of it. Messages say what happened, then what to do.
"""

from __future__ import annotations

from collections.abc import Sequence


class DurableError(Exception):
    """Base of everything that Everstep raises."""


class UsageError(DurableError):
    """The program asks for something that cannot work: change the code."""


class ReplayMismatch(UsageError):
    """The handler asked for something else than what is recorded at this position.

    recorded, asked: descriptions of the two sides. where: "file:line" of the call, if known.
    """

    def __init__(self, *, operation_id: str, recorded: str, asked: str, where: str | None = None) -> None:
        self.operation_id, self.recorded, self.asked, self.where = operation_id, recorded, asked, where
        at = f" (called at {where})" if where else ""
        super().__init__(
            f"operation {operation_id[:12]}… is recorded as {recorded}, but the handler now asks for {asked}{at}. "
            "Running executions replay the code they began with: publish the change as a new version, or let them finish first."
        )


class SerializationError(UsageError):
    """A value could not be written as, or read from, its recorded form."""


class PayloadTooLarge(UsageError):
    """A value is larger than the service records."""

    def __init__(self, what: str, size: int, limit: int, remedy: str) -> None:
        self.what, self.size, self.limit = what, size, limit
        super().__init__(f"{what} is {size:,} bytes; the service records at most {limit:,}. {remedy}")


class ServiceError(DurableError):
    """The service, or the way to it, refused a call.

    code: the service's error name, or a transport's ("ConnectionError"). status: HTTP status, 0 if none came.
    is_retryable: whether the same invocation, tried again, may succeed.
    """

    def __init__(self, message: str, *, code: str, status: int = 0, is_retryable: bool = False) -> None:
        self.code, self.status, self.is_retryable = code, status, is_retryable
        super().__init__(f"{code}: {message}" if code else message)


class ExecutionAlreadyStarted(ServiceError):
    """The execution's name is taken by one with another input or version. arn: of the existing execution."""

    def __init__(self, arn: str) -> None:
        self.arn = arn
        super().__init__(f"Execution already started: {arn}", code="DurableExecutionAlreadyStartedException", status=409)


class OperationError(DurableError):
    """An operation failed. Equal on the first run and on every replay, for it is built from what is recorded.

    message, error_type, data, stack_trace: the recorded error. Where the original exception class is already imported
    and can be rebuilt from the record, the error is also an instance of it: `except ValueError` works.
    """

    def __init__(
        self,
        message: str | None = None,
        error_type: str | None = None,
        data: str | None = None,
        stack_trace: Sequence[str] | None = None,
    ) -> None:
        Exception.__init__(self, message or "")  # not super(): of a restored error, that is the original class, whose code is never run
        self.message = message or ""
        self.error_type = error_type
        self.data = data
        self.stack_trace = tuple(stack_trace or ())

    def __str__(self) -> str:
        return self.message or self.error_type or ""


class StepError(OperationError):
    """A step failed and its retries, if any, are used up."""


class StepInterrupted(StepError):
    """An at-most-once step was cut off before its outcome was recorded: whether it took effect is not known."""


class StepTimeout(StepError, TimeoutError):
    """One attempt of a step took longer than its `timeout`."""


class ChildContextError(OperationError):
    """The body of a child context, a map item or a parallel branch failed."""


class WaitForConditionError(OperationError):
    """A condition was not met within its polls or its time, or its check failed."""


class NoneSucceeded(OperationError):
    """Every member of an `any` failed. errors: theirs, in the order of the members."""

    errors: Sequence[Exception] = ()


class SagaError(DurableError):
    """A saga was undone after a failure, and some of its compensations or clean-ups failed as well.

    cause: what made the saga fail, None if it had succeeded. failures: of compensations and clean-ups, in the order they ran.
    """

    def __init__(self, cause: BaseException | None, failures: Sequence[Exception]) -> None:
        self.cause, self.failures = cause, tuple(failures)
        failed = "; ".join(f"{type(failure).__name__}: {failure}" for failure in failures)
        after = f" after {type(cause).__name__}: {cause}" if cause is not None else ""
        super().__init__(f"{len(self.failures)} of a saga's compensations and clean-ups failed{after}: {failed}")


class InvokeError(OperationError):
    """A chained invoke failed, timed out or was stopped."""


class CallbackError(OperationError):
    """A callback ended without a result."""


class CallbackFailed(CallbackError):
    """The external system reported a failure."""


class CallbackTimeout(CallbackError, TimeoutError):
    """Nobody completed the callback in time, or its heartbeats stopped."""


class CallbackSubmitterError(CallbackError):
    """The submitter of `wait_for_callback` failed and its retries are used up."""


class BatchError(OperationError):
    """Raised by `BatchResult.throw_if_error()`: the first failed item's error."""


class ExecutionFailed(DurableError):
    """The execution that was waited for did not succeed. status: FAILED, TIMED_OUT or STOPPED."""

    def __init__(self, arn: str, status: str, error_type: str | None, message: str | None) -> None:
        self.arn, self.status, self.error_type, self.message = arn, status, error_type, message
        what = ": ".join(part for part in (error_type, message) if part)
        super().__init__(f"{arn} ended {status}" + (f" ({what})" if what else ""))
