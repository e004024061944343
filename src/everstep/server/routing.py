"""Which operation a request means, by its method and its path as it was sent.

Rule: pure. The path is matched before it is decoded, and a label takes whatever lies between the literal parts, so an
ARN or a callback id may come as one encoded segment or with its slashes in the open. Then it is decoded once.

Source: Lambda API model 2015-03-31, http traits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote

OWN: Final = "/everstep/2026-11-01"
"""Of what AWS's API does not have."""
_EXECUTION: Final = "/2025-12-01/durable-executions/{DurableExecutionArn}"
_CALLBACK: Final = "/2025-12-01/durable-execution-callbacks/{CallbackId}"
_FUNCTIONS: Final = "/2015-03-31/functions"
_FUNCTION: Final = "/2015-03-31/functions/{FunctionName}"

# (method, path) -> operation. More literal paths first: they are tried in this order.
OPERATIONS: Final[Mapping[tuple[str, str], str]] = {
    ("POST", f"{_EXECUTION}/checkpoint"): "CheckpointDurableExecution",
    ("GET", f"{_EXECUTION}/state"): "GetDurableExecutionState",
    ("GET", f"{_EXECUTION}/history"): "GetDurableExecutionHistory",
    ("POST", f"{_EXECUTION}/stop"): "StopDurableExecution",
    ("POST", f"{_EXECUTION}/pause"): "PauseDurableExecution",
    ("POST", f"{_EXECUTION}/resume"): "ResumeDurableExecution",
    ("POST", f"{OWN}/durable-executions/{{DurableExecutionArn}}/fork"): "ForkDurableExecution",
    ("GET", f"{OWN}/durable-executions/{{DurableExecutionArn}}/origin"): "GetExecutionOrigin",
    ("GET", _EXECUTION): "GetDurableExecution",
    ("DELETE", _EXECUTION): "DeleteDurableExecution",
    ("POST", f"{_CALLBACK}/succeed"): "SendDurableExecutionCallbackSuccess",
    ("POST", f"{_CALLBACK}/fail"): "SendDurableExecutionCallbackFailure",
    ("POST", f"{_CALLBACK}/heartbeat"): "SendDurableExecutionCallbackHeartbeat",
    ("GET", "/2025-12-01/functions/{FunctionName}/durable-executions"): "ListDurableExecutionsByFunction",
    ("GET", f"{OWN}/executions"): "ListExecutions",
    ("GET", f"{OWN}/execution-counts"): "CountExecutions",
    ("GET", f"{OWN}/changes"): "AwaitChange",
    ("GET", f"{OWN}/durable-executions/{{DurableExecutionArn}}/call-sites"): "GetCallSites",
    ("GET", f"{OWN}/functions/{{FunctionName}}/input-schema"): "GetInputSchema",
    ("POST", f"{_FUNCTION}/invocations"): "Invoke",
    ("POST", "/2021-11-15/functions/{FunctionName}/response-streaming-invocations"): "InvokeWithResponseStream",
    ("POST", "/2014-11-13/functions/{FunctionName}/invoke-async"): "InvokeAsync",
    ("GET", f"{_FUNCTION}/configuration"): "GetFunctionConfiguration",
    ("PUT", f"{_FUNCTION}/configuration"): "UpdateFunctionConfiguration",
    ("PUT", f"{_FUNCTION}/code"): "UpdateFunctionCode",
    ("POST", f"{_FUNCTION}/versions"): "PublishVersion",
    ("GET", f"{_FUNCTION}/versions"): "ListVersionsByFunction",
    ("POST", f"{_FUNCTION}/aliases"): "CreateAlias",
    ("GET", f"{_FUNCTION}/aliases"): "ListAliases",
    ("GET", f"{_FUNCTION}/aliases/{{Name}}"): "GetAlias",
    ("PUT", f"{_FUNCTION}/aliases/{{Name}}"): "UpdateAlias",
    ("DELETE", f"{_FUNCTION}/aliases/{{Name}}"): "DeleteAlias",
    ("GET", "/2019-09-25/functions/{FunctionName}/event-invoke-config"): "GetFunctionEventInvokeConfig",
    ("PUT", "/2019-09-25/functions/{FunctionName}/event-invoke-config"): "PutFunctionEventInvokeConfig",
    ("GET", "/2019-09-30/functions/{FunctionName}/concurrency"): "GetFunctionConcurrency",
    ("GET", "/2017-03-31/tags/{Resource}"): "ListTags",
    ("POST", "/2017-03-31/tags/{Resource}"): "TagResource",
    ("DELETE", "/2017-03-31/tags/{Resource}"): "UntagResource",
    ("GET", "/2016-08-19/account-settings"): "GetAccountSettings",
    ("GET", _FUNCTION): "GetFunction",
    ("DELETE", _FUNCTION): "DeleteFunction",
    ("GET", _FUNCTIONS): "ListFunctions",
    ("POST", _FUNCTIONS): "CreateFunction",
}


class Match(NamedTuple):
    """labels: by the model's name, decoded."""

    operation: str
    labels: Mapping[str, str]


class _Route(NamedTuple):
    pattern: re.Pattern[str]
    operation: str


def _compiled(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", path)
    return re.compile("".join(f"(?P<{part}>.+)" if at % 2 else re.escape(part) for at, part in enumerate(parts)))


def _by_method_and_date() -> Mapping[tuple[str, str], Sequence[_Route]]:
    routes: dict[tuple[str, str], list[_Route]] = {}
    for (method, path), operation in OPERATIONS.items():
        routes.setdefault((method, path.split("/", 2)[1]), []).append(_Route(_compiled(path), operation))
    return routes


_ROUTES: Final = _by_method_and_date()


@lru_cache(256)
def match(method: str, raw_path: str) -> Match | None:
    """The operation, None if there is none. raw_path: still encoded, without query."""
    path = raw_path.rstrip("/")
    date = path.split("/", 2)[1] if path.startswith("/") else ""
    for route in _ROUTES.get((method, unquote(date)), ()):
        found = route.pattern.fullmatch(path)
        if found is not None:
            return Match(route.operation, {name: unquote(value) for name, value in found.groupdict().items()})
    return None
