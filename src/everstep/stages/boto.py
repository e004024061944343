"""Clients shaped like boto3's, for the stages that call AWS.

Rule: boto3 is imported only to make a client that was not given. What a call raises becomes a ServiceError, which says
whether the same invocation, tried again, may succeed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Final, TypeAlias, cast

from everstep.client.refusal import classify
from everstep.errors import ServiceError, UsageError
from everstep.stages.extras import missing

Call: TypeAlias = Callable[..., Mapping[str, object]]

# What the family's classification gets wrong here, for it is of Lambda's errors.
_MAY_PASS: Final = {"KMSInternalException": True, "ParamValidationError": False}


def methods(client: object | None, service: str, *names: str, extra: str, needed_by: str) -> list[Call]:
    """The methods of the client, or of one that boto3 makes as the environment says. Raises UsageError."""
    if client is None:
        try:
            boto3 = import_module("boto3")
        except ImportError as error:
            raise missing("boto3", extra=extra, needed_by=f"{needed_by} without a client") from error
        client = cast("object", boto3.client(service))
    return [_method(client, service, name) for name in names]


def _method(client: object, service: str, name: str) -> Call:
    method = getattr(client, name, None)
    if not callable(method):
        raise UsageError(f"{type(client).__name__} has no method {name}: pass a client like boto3.client({service!r})")
    return cast("Call", method)


def code_of(error: Exception) -> str:
    """The service's name for what went wrong, or that of the exception."""
    return str(_members(_members(getattr(error, "response", None)).get("Error")).get("Code", "")) or type(error).__name__


def service_error(error: Exception, what: str) -> ServiceError:
    """what: was tried, for the message."""
    response = _members(getattr(error, "response", None))
    told = _members(response.get("ResponseMetadata")).get("HTTPStatusCode")
    status, code = told if isinstance(told, int) else 0, code_of(error)
    is_retryable = _MAY_PASS[code] if code in _MAY_PASS else classify(status, code, str(error)) != "terminal"
    return ServiceError(f"{what}: {error}", code=code, status=status, is_retryable=is_retryable)


def _members(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}
