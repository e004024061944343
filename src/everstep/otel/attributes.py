"""What spans and metrics are called, and what they say.

Rule: pure. Names of our field are under `durable.`, as the official SDKs write them; where OpenTelemetry's conventions for functions
and messages fit, theirs are used besides.
"""

from __future__ import annotations

import re
from typing import Final

from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from everstep.plugins.api import InvocationStartInfo, OperationIdentity, OperationInfo

_INSIDE_A_WORD: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
KINDS: Final = {"CHAINED_INVOKE": SpanKind.CLIENT, "CALLBACK": SpanKind.CONSUMER}
FAILED: Final = frozenset({"FAILED", "TIMED_OUT", "STOPPED"})


def kind_of(info: OperationIdentity) -> str:
    """Of which kind it is, in words: `step`, `wait for callback`, `map iteration`."""
    return _INSIDE_A_WORD.sub(" ", info.sub_type or info.operation_type.title().replace("_", " ")).lower()


def span_name(info: OperationIdentity) -> str:
    return f"{kind_of(info)} {info.name}" if info.name else kind_of(info)


def of_invocation(info: InvocationStartInfo) -> dict[str, AttributeValue]:
    attributes: dict[str, AttributeValue] = {
        "durable.execution.arn": info.execution_arn,
        "durable.invocation.first": info.is_first_invocation,
        "durable.invocation.continued": info.is_continued,
        "durable.invocation.replayed_operations": info.replayed_operations,
        "faas.name": info.function_name,
        "cloud.resource_id": info.execution_arn.split("/durable-execution/")[0],
    }
    if info.request_id is not None:
        attributes["faas.invocation_id"] = info.request_id
    return attributes


def of_execution(info: InvocationStartInfo) -> dict[str, AttributeValue]:
    return {
        "durable.execution.arn": info.execution_arn,
        "faas.name": info.function_name,
        "cloud.resource_id": info.execution_arn.split("/durable-execution/")[0],
    }


def of_operation(info: OperationIdentity) -> dict[str, AttributeValue]:
    attributes: dict[str, AttributeValue] = {
        "durable.execution.arn": info.execution_arn,
        "durable.operation.id": info.operation_id,
        "durable.operation.type": info.operation_type,
    }
    if info.sub_type is not None:
        attributes["durable.operation.subtype"] = info.sub_type
    if info.name is not None:
        attributes["durable.operation.name"] = info.name
    return attributes


def of_state(info: OperationInfo) -> dict[str, AttributeValue]:
    """What an operation's state adds."""
    attributes: dict[str, AttributeValue] = {"durable.operation.status": info.status}
    if info.attempt is not None:
        attributes["durable.operation.attempts"] = info.attempt
    if info.callback_id is not None:
        attributes |= {
            "messaging.system": "durable_callback",
            "messaging.operation.name": "callback",
            "messaging.operation.type": "receive",
            "messaging.message.id": info.callback_id,
        }
    return attributes
