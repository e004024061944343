"""Which execution is meant: by its ARN, by its name with --function, or by the beginning of its id.

Rule: what is meant must be one execution. If several fit, they are named, and nothing is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from everstep.errors import UsageError

if TYPE_CHECKING:
    from everstep.client.executions import ExecutionsApi, JsonObject

SHORTEST: Final = 4
"""How much of an id must be said."""
_SHOWN: Final = 5


def arn_of(api: ExecutionsApi, reference: str, function: str | None) -> str:
    """The ARN of the execution that is meant. Raises UsageError, ServiceError."""
    if "/durable-execution/" in reference:
        return reference
    if function is not None:
        named = [_arn(one) for one in api.list(function, name=reference)] if _may_name(reference) else []
        if named:
            return _only(named, reference)
    functions = [function] if function is not None else list(api.durable_functions())
    if len(reference) >= SHORTEST:
        found = [_arn(one) for name in functions for one in api.list(name) if _arn(one).rpartition("/")[2].startswith(reference)]
        if found:
            return _only(found, reference)
    if function is None:
        raise UsageError(
            f"no execution has an id that begins with {reference!r}. To name it by its name, say whose it is: --function; "
            "`everstep list` shows what there is"
        )
    raise UsageError(
        f"{function} has no execution that is called {reference!r}, or whose id begins with it: see `everstep list {function}`"
    )


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
