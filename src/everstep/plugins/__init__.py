"""Instrumentation: what a plugin is told about executions. See docs/telemetry.md."""

from everstep.plugins.api import (
    AttemptEndInfo,
    AttemptStartInfo,
    CheckpointInfo,
    FunctionOutcome,
    InvocationEndInfo,
    InvocationOutcome,
    InvocationStartInfo,
    OperationChangeInfo,
    OperationInfo,
    Plugin,
    PropagationInput,
    PropagationMetadata,
    UserFunctionEndInfo,
    UserFunctionStartInfo,
)

__all__ = [
    "AttemptEndInfo",
    "AttemptStartInfo",
    "CheckpointInfo",
    "FunctionOutcome",
    "InvocationEndInfo",
    "InvocationOutcome",
    "InvocationStartInfo",
    "OperationChangeInfo",
    "OperationInfo",
    "Plugin",
    "PropagationInput",
    "PropagationMetadata",
    "UserFunctionEndInfo",
    "UserFunctionStartInfo",
]
