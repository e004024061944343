"""Which role may call which operation.

Rule: pure, and one table: an operation that has no row is nobody's. Drift-tested: every operation has one.

Roles are cut so that each kind of program gets no more than it needs. What starts executions must not be able to answer the
approvals that they wait for; what answers them needs to see nothing. Functions' configuration shows the environment
of their processes, so reading it is the operator's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, TypeAlias

Role: TypeAlias = Literal["operator", "invoker", "callback", "worker", "monitor"]

RUNTIME_API: Final = "RuntimeApi"
"""Asking for invocations and answering them: no operation of Lambda's, but one of ours."""
METRICS: Final = "Metrics"
"""Reading /metrics: another one of ours."""

_INVOKE: Final = frozenset[Role]({"operator", "invoker"})
_ANSWER: Final = frozenset[Role]({"operator", "callback"})
_WORK: Final = frozenset[Role]({"operator", "worker"})
_OPERATE: Final = frozenset[Role]({"operator"})
_WATCH: Final = frozenset[Role]({"operator", "monitor"})

ALLOWED: Final[Mapping[str, frozenset[Role]]] = {
    "Invoke": _INVOKE,
    "InvokeWithResponseStream": _INVOKE,
    "InvokeAsync": _INVOKE,
    "GetDurableExecution": _INVOKE,
    "GetDurableExecutionHistory": _INVOKE,
    "ListDurableExecutionsByFunction": _INVOKE,
    "ListExecutions": _INVOKE,
    "CountExecutions": _INVOKE,
    "AwaitChange": _INVOKE,
    "GetCallSites": _INVOKE,
    "GetExecutionOrigin": _INVOKE,
    "GetInputSchema": _OPERATE,
    "SendDurableExecutionCallbackSuccess": _ANSWER,
    "SendDurableExecutionCallbackFailure": _ANSWER,
    "SendDurableExecutionCallbackHeartbeat": _ANSWER,
    RUNTIME_API: _WORK,
    METRICS: _WATCH,
    "CheckpointDurableExecution": _WORK,
    "GetDurableExecutionState": _WORK,
    "StopDurableExecution": _OPERATE,
    "PauseDurableExecution": _OPERATE,
    "ResumeDurableExecution": _OPERATE,
    "DeleteDurableExecution": _OPERATE,
    "ForkDurableExecution": _OPERATE,
    "CreateFunction": _OPERATE,
    "GetFunction": _OPERATE,
    "GetFunctionConfiguration": _OPERATE,
    "UpdateFunctionConfiguration": _OPERATE,
    "UpdateFunctionCode": _OPERATE,
    "ListFunctions": _OPERATE,
    "DeleteFunction": _OPERATE,
    "PublishVersion": _OPERATE,
    "ListVersionsByFunction": _OPERATE,
    "CreateAlias": _OPERATE,
    "GetAlias": _OPERATE,
    "UpdateAlias": _OPERATE,
    "DeleteAlias": _OPERATE,
    "ListAliases": _OPERATE,
    "ListTags": _OPERATE,
    "TagResource": _OPERATE,
    "UntagResource": _OPERATE,
    "GetFunctionEventInvokeConfig": _OPERATE,
    "PutFunctionEventInvokeConfig": _OPERATE,
    "GetFunctionConcurrency": _OPERATE,
    "GetAccountSettings": _OPERATE,
}


def may_call(roles: Iterable[Role], operation: str) -> bool:
    return not ALLOWED.get(operation, frozenset[Role]()).isdisjoint(roles)
