"""The service through a Lambda client that somebody else made: boto3's, aiobotocore's, or one of the same shape.

Rule: nothing of boto is imported here. Requests are plain dicts in the wire's names; answers are read as boto3 gives them,
with datetimes. The client repeats calls as it is configured to; each carries its client token, so that is harmless.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from inspect import iscoroutinefunction
from typing import TypeAlias, TypeVar, cast

import msgspec

from everstep.client import rest
from everstep.client.api import Checkpointed, StatePage
from everstep.client.blocking import Blocking
from everstep.client.refusal import Refusal, not_understood
from everstep.errors import DurableError, ServiceError, UsageError
from everstep.protocol.shapes import OperationUpdate

_Call: TypeAlias = Callable[..., object]

T = TypeVar("T")


class BotoClient:
    """A DurableClient that calls `checkpoint_durable_execution` and `get_durable_execution_state` of another client.

    blocking: where the calls run, unless the methods are coroutine functions; see `everstep.client.blocking`.
    """

    def __init__(self, client: object) -> None:
        """client: an object, because boto3's has no type, and those of its stubs fit no protocol. Raises UsageError."""
        self.blocking = Blocking()
        self._checkpoint = _method(client, "checkpoint_durable_execution")
        self._get_state = _method(client, "get_durable_execution_state")
        self._is_async = iscoroutinefunction(self._checkpoint) or iscoroutinefunction(type(self._checkpoint).__call__)

    async def checkpoint(self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str) -> Checkpointed:
        """See DurableClient."""
        call = partial(
            self._checkpoint,
            DurableExecutionArn=arn,
            CheckpointToken=token,
            Updates=msgspec.to_builtins(updates),
            ClientToken=client_token,
        )
        return await self._ask(call, rest.checkpointed)

    async def get_state(self, arn: str, token: str, marker: str, max_items: int = 1000) -> StatePage:
        """See DurableClient."""
        page = {"Marker": marker} if marker else {}
        call = partial(self._get_state, DurableExecutionArn=arn, CheckpointToken=token, MaxItems=max_items, **page)
        return await self._ask(call, rest.state_page)

    async def _ask(self, call: _Call, read: Callable[[object], T]) -> T:
        try:
            if self._is_async:
                return read(await cast("Awaitable[object]", call()))
            return await self.blocking.run(lambda: read(call()))
        except DurableError:
            raise
        except msgspec.ValidationError as error:
            raise not_understood(error) from error
        except Exception as error:
            raise _service_error(error) from error


def _method(client: object, name: str) -> _Call:
    method = getattr(client, name, None)
    if not callable(method):
        raise UsageError(
            f"{type(client).__name__} has no method {name}. Pass a Lambda client, boto3.client('lambda'), of a boto3 that knows "
            "durable functions: pip install --upgrade boto3"
        )
    call: _Call = method
    return call


def _service_error(error: Exception) -> ServiceError:
    response = _members(getattr(error, "response", None))
    if "Error" in response:  # botocore's ClientError, or one like it
        told = _members(response["Error"])
        status = _members(response.get("ResponseMetadata")).get("HTTPStatusCode")
        return Refusal(status if isinstance(status, int) else 0, str(told.get("Code", "")), str(told.get("Message", ""))).error()
    code = type(error).__name__
    if code == "ParamValidationError":  # nothing was sent, and nothing will be
        return ServiceError(f"boto3 refuses the request ({error}). If it is for an unknown parameter, upgrade boto3", code=code)
    return Refusal(0, code, str(error)).error()


def _members(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}
