"""A chained invoke: another function runs, and its result is this operation's.

Source: Lambda API model (function name, tenant id) and the 1 MiB limit on a chained invoke's input.
"""

from __future__ import annotations

from everstep.errors import InvokeError, PayloadTooLarge, UsageError
from everstep.failures import restore
from everstep.protocol.limits import MAX_OPERATION_PAYLOAD, TENANT_PATTERN
from everstep.protocol.shapes import ChainedInvokeOptions, ErrorObject, Operation
from everstep.serdes import PLAIN


def invoke_options(function_name: str, tenant_id: str | None) -> ChainedInvokeOptions:
    """What START carries. Raises UsageError on a name or tenant id that the service would refuse."""
    if not 1 <= len(function_name) <= 256:
        raise UsageError(
            f"the function's name is {function_name[:80]!r} ({len(function_name)} characters); it must be a name or ARN of 1 to 256"
        )
    if tenant_id is not None and not TENANT_PATTERN.fullmatch(tenant_id):
        raise UsageError(f"tenant_id is {tenant_id[:80]!r}; it must be 1 to 256 letters, digits, spaces or any of . _ : / = + - @")
    return ChainedInvokeOptions(function_name=function_name, tenant_id=tenant_id)


def invoke_payload(payload: object) -> str:
    """The input as JSON text. Raises SerializationError, or PayloadTooLarge above 1 MiB."""
    text = PLAIN.serialize(payload)
    size = len(text.encode())
    if size > MAX_OPERATION_PAYLOAD:
        raise PayloadTooLarge("the input of an invoke", size, MAX_OPERATION_PAYLOAD, "Store it elsewhere and pass a reference to it.")
    return text


def invoke_failure(recorded: Operation) -> InvokeError:
    """The error of an invoke that did not succeed."""
    error = recorded.chained_invoke_details.error if recorded.chained_invoke_details else None
    if error is None or (error.error_message is None and error.error_type is None):
        error = ErrorObject(error_message=f"the invoked function ended {recorded.status}", error_type=error.error_type if error else None)
    return restore(error, InvokeError)
