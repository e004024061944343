"""What a refusal means: whether to repeat the call, to let the service retry the invocation, or to fail the execution.

Rule: one classification for every transport. It is the one that all SDKs of the family share (spec 1.7), so that an
execution fares the same whichever of them runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

from everstep.errors import ServiceError

Verdict: TypeAlias = Literal["terminal", "stale", "throttled", "transient"]
"""terminal: the execution fails. stale: this invocation has lost the execution; a new one may go on.
throttled, transient: the same call may succeed a little later; if not, a new invocation may."""

_STALE_TOKEN: Final = "Invalid checkpoint token"  # the service's words; the message starts with them
# The codes for which AWS's SDKs slow down whatever the status is. Precedent: botocore.
_THROTTLING_CODES: Final = frozenset(
    {
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)


def classify(status: int, code: str, message: str) -> Verdict:
    """status: 0 if no response came at all."""
    if code.startswith("KMS"):  # 502, but only a person can give the key back
        return "terminal"
    if status == 429 or code in _THROTTLING_CODES:
        return "throttled"
    if status == 400 and code == "InvalidParameterValueException" and message.startswith(_STALE_TOKEN):
        return "stale"
    if 400 <= status < 500 and status != 408:  # 408: a gateway's, for a request that came too slowly
        return "terminal"
    return "transient"


class Refusal(Struct, frozen=True):
    """Why a call was not answered. status: 0 if no response came at all. code: the service's error name, or a transport's."""

    status: int
    code: str
    message: str

    @property
    def verdict(self) -> Verdict:
        return classify(self.status, self.code, self.message)

    def error(self) -> ServiceError:
        """The exception that a transport raises for it."""
        return ServiceError(self.message, code=self.code, status=self.status, is_retryable=self.verdict != "terminal")


def read_refusal(status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
    """What an HTTP response that is not a success says. headers: by lower-case name."""
    members = _members(body)
    code = headers.get("x-amzn-errortype") or _text(members, "__type", "code", "Code") or _type_member(members) or f"Http{status}"
    # "ServiceException:http://internal…" in the header, "com.amazonaws.lambda#ServiceException" in the body
    code = code.split(":", 1)[0].rsplit("#", 1)[-1].strip()
    message = _text(members, "message", "Message", "errorMessage") or body[:500].decode("utf-8", "replace")
    return Refusal(status, code, message)


def not_understood(reason: Exception) -> ServiceError:
    """For a response that is complete, but says what this version has no words for.

    Retryable, so that the execution waits for a version that understands it instead of being failed by this one.
    """
    message = f"the response says something that this version of everstep does not know: {reason}. A newer one may: upgrade"
    return ServiceError(message, code="UnknownResponse", is_retryable=True)


def _members(body: bytes) -> Mapping[str, object]:
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except msgspec.DecodeError:  # a gateway's page of HTML, or nothing
        return {}


def _text(members: Mapping[str, object], *names: str) -> str | None:
    for name in names:
        value = members.get(name)
        if isinstance(value, str) and value:
            return value
    return None


def _type_member(members: Mapping[str, object]) -> str | None:
    # The member Type names the error for some servers; for Lambda it says whose fault it was.
    kind = _text(members, "Type")
    return None if kind in ("User", "Service") else kind
