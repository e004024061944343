"""Which execution is meant: by its ARN, by its name, or by the beginning of its id.

Rule: what is meant must be one execution. If several fit, they are named, and nothing is done. A name comes before an id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from everstep.errors import ServiceError, UsageError

if TYPE_CHECKING:
    from everstep.client.executions import ExecutionsApi, JsonObject

SHORTEST: Final = 4
"""How much of an id must be said."""
_SHOWN: Final = 5


def arn_of(api: ExecutionsApi, reference: str, function: str | None) -> str:
    """The ARN of the execution that is meant. Raises UsageError if it may be several, ServiceError if it is none."""
    if "/durable-execution/" in reference:
        return reference
    functions = [function] if function is not None else list(api.durable_functions())
    if _may_name(reference):
        named = [_arn(one) for name in functions for one in api.list(name, name=reference)]
        if named:
            return _only(named, reference)
    if len(reference) >= SHORTEST:
        found = [_arn(one) for name in functions for one in api.list(name) if _arn(one).rpartition("/")[2].startswith(reference)]
        if found:
            return _only(found, reference)
    whose, listing = ("no function has an", "") if function is None else (f"{function} has no", f" {function}")
    message = f"{whose} execution that is called {reference!r}, or whose id begins with it: see `everstep list{listing}`"
    raise ServiceError(message, code="ResourceNotFoundException", status=404)


def _only(arns: list[str], reference: str) -> str:
    if len(arns) > 1:
        shown = "\n  ".join(arns[:_SHOWN])
        more = f"\n  and {len(arns) - _SHOWN} more" if len(arns) > _SHOWN else ""
        raise UsageError(f"{reference!r} may be any of {len(arns)} executions; say more of the id, or the ARN:\n  {shown}{more}")
    return arns[0]


def _may_name(reference: str) -> bool:
    from everstep.protocol.limits import EXECUTION_NAME_PATTERN

    return EXECUTION_NAME_PATTERN.fullmatch(reference) is not None


def _arn(summary: JsonObject) -> str:
    return str(summary["DurableExecutionArn"])
