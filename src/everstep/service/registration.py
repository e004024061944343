"""What a user registers, as the service calls it: a durable handler, or a plain async function for chained invokes."""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable
from typing import Final, Never, TypeGuard, cast

from everstep.durations import Duration, seconds_of, whole_seconds
from everstep.errors import UsageError
from everstep.protocol.limits import MAX_EXECUTION_TIMEOUT_S
from everstep.serdes import parameter_annotation, result_serdes, serdes_for
from everstep.service.functions import AnyDurable, Durable, Plain, PlainCall

MAX_RETENTION_DAYS: Final = 90
DEFAULT_RETENTION_DAYS: Final = 14
"""Source: Lambda API, DurableConfig."""
DEFAULT_INVOCATION_TIMEOUT_S: Final = 15 * 60
"""Precedent: Lambda's longest."""


def entry_of(
    function: AnyDurable | Callable[[Never], Awaitable[object]],
    *,
    name: str | None = None,
    execution_timeout: Duration = MAX_EXECUTION_TIMEOUT_S,
    invocation_timeout: Duration | None = DEFAULT_INVOCATION_TIMEOUT_S,
    retention_days: int = DEFAULT_RETENTION_DAYS,
) -> Durable | Plain:
    """The entry for the list of functions. See `Service.register`. Raises UsageError."""
    timeout_s = None if invocation_timeout is None else seconds_of(invocation_timeout)
    if _is_durable(function):
        if not 1 <= retention_days <= MAX_RETENTION_DAYS:
            raise UsageError(f"retention_days is {retention_days}; it must lie between 1 and {MAX_RETENTION_DAYS}")
        return Durable(
            name or function.name,
            function,
            whole_seconds("execution_timeout", execution_timeout, least=1, most=MAX_EXECUTION_TIMEOUT_S),
            retention_days,
            timeout_s,
        )
    if inspect.iscoroutinefunction(function):
        return Plain(name or function.__name__, _on_texts(function), 0 if timeout_s is None else math.ceil(timeout_s))
    raise UsageError(f"{function!r} is neither a durable handler nor an `async def` function")


def _is_durable(function: object) -> TypeGuard[AnyDurable]:
    return all(callable(getattr(function, member, None)) for member in ("encode_input", "decode_output", "invoke"))


def _on_texts(function: Callable[[Never], Awaitable[object]]) -> PlainCall:
    """A plain function as the service calls it, with JSON texts; its event is read as its annotation says."""
    event, result = serdes_for(parameter_annotation(function, 0)), result_serdes(function)

    async def call(payload: str) -> str:
        return result.serialize(await function(cast("Never", event.deserialize(payload))))

    return call
