"""How the HTTP API says no: an error's name in a header, its status, and a body whose members have the shape's own casing.

Source: Lambda API model, error shapes; ValidationException, SerializationException and those about access are the front end's and
unmodelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from everstep.errors import ServiceError
from everstep.server.answers import JSON, Answer
from everstep.service.machine.rejection import Rejected

STATUS: Final[Mapping[str, int]] = {
    "AccessDeniedException": 403,
    "CallbackTimeoutException": 400,
    "DurableExecutionAlreadyStartedException": 409,
    "IncompleteSignatureException": 403,
    "InvalidParameterValueException": 400,
    "InvalidRequestContentException": 400,
    "InvalidSignatureException": 403,
    "MissingAuthenticationTokenException": 403,
    "PreconditionFailedException": 412,
    "RequestTooLargeException": 413,
    "ResourceConflictException": 409,
    "ResourceNotFoundException": 404,
    "SerializationException": 400,
    "ServiceException": 500,
    "TooManyRequestsException": 429,
    "UnknownOperationException": 404,
    "UnrecognizedClientException": 403,
    "ValidationException": 400,
}
_CAPITAL_MESSAGE: Final = frozenset(
    {
        "AccessDeniedException",
        "CallbackTimeoutException",
        "DurableExecutionAlreadyStartedException",
        "ResourceNotFoundException",
        "ServiceException",
    }
)
_UNMODELLED: Final = frozenset(
    {
        "AccessDeniedException",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "SerializationException",
        "UnknownOperationException",
        "UnrecognizedClientException",
        "ValidationException",
    }
)


class ApiError(Exception):
    """A refusal to answer with. code: the error's shape name, one of STATUS."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        self.status: int = STATUS[code]
        super().__init__(f"{code}: {message}")

    @property
    def body(self) -> dict[str, object]:
        message = {"Message" if self.code in _CAPITAL_MESSAGE else "message": self.message}
        if self.code in _UNMODELLED:
            return {"__type": self.code, **message}
        return {"__type": self.code, "Type": "User" if self.status < 500 else "Service", **message}

    @property
    def answer(self) -> Answer:
        headers = {"x-amzn-errortype": self.code, "content-type": JSON}
        if self.status == 429:
            headers["retry-after"] = "1"
        return Answer(status=self.status, headers=headers, body=msgspec.json.encode(self.body))


def not_found(message: str) -> ApiError:
    return ApiError("ResourceNotFoundException", message)


def invalid(message: str) -> ApiError:
    return ApiError("InvalidParameterValueException", message)


def malformed(message: str) -> ApiError:
    return ApiError("SerializationException", message)


def api_error(error: Rejected | ServiceError) -> ApiError:
    """What the service said, as this API says it."""
    if error.code in STATUS:
        return ApiError(error.code, error.message if isinstance(error, Rejected) else str(error).removeprefix(f"{error.code}: "))
    return ApiError("ServiceException", "The service could not record or read what was asked for; try again.")
