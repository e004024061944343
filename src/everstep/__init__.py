"""Durable execution for Python: ordinary `async` code that survives crashes, deploys and waits of months.

Public names are loaded when they are first used, so that a cold start pays only for what it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from everstep.configuration import configure
    from everstep.context import Branch, DurableContext
    from everstep.durations import Duration
    from everstep.errors import (
        BatchError,
        CallbackError,
        CallbackFailed,
        CallbackSubmitterError,
        CallbackTimeout,
        ChildContextError,
        DurableError,
        ExecutionAlreadyStarted,
        ExecutionFailed,
        InvokeError,
        NoneSucceeded,
        OperationError,
        PayloadTooLarge,
        ReplayMismatch,
        SagaError,
        SerializationError,
        ServiceError,
        StepError,
        StepInterrupted,
        StepTimeout,
        UsageError,
        WaitForConditionError,
    )
    from everstep.handler import DurableHandler, durable
    from everstep.operations.batch import BatchItem, BatchResult, TupleResult
    from everstep.operations.combination import Selected, Settled
    from everstep.operations.completion import Completion, Progress
    from everstep.plugins.api import Plugin
    from everstep.polling import Poll, PollStrategy
    from everstep.retry import Retry, RetryStrategy
    from everstep.runtime.perform import Callback
    from everstep.saga import Saga
    from everstep.serdes import JsonSerdes, Serdes
    from everstep.service.embedded import Service
    from everstep.service.started import StartedExecution
    from everstep.step_context import StepContext, get_step_context
    from everstep.synchronous import SyncCallback, SyncContext, SyncSaga
    from everstep.waiting import as_completed, wait

_HOME = {
    "everstep.configuration": ("configure",),
    "everstep.context": ("Branch", "DurableContext"),
    "everstep.durations": ("Duration",),
    "everstep.errors": (
        "BatchError",
        "CallbackError",
        "CallbackFailed",
        "CallbackSubmitterError",
        "CallbackTimeout",
        "ChildContextError",
        "DurableError",
        "ExecutionAlreadyStarted",
        "ExecutionFailed",
        "InvokeError",
        "NoneSucceeded",
        "OperationError",
        "PayloadTooLarge",
        "ReplayMismatch",
        "SagaError",
        "SerializationError",
        "ServiceError",
        "StepError",
        "StepInterrupted",
        "StepTimeout",
        "UsageError",
        "WaitForConditionError",
    ),
    "everstep.handler": ("DurableHandler", "durable"),
    "everstep.operations.batch": ("BatchItem", "BatchResult", "TupleResult"),
    "everstep.operations.combination": ("Selected", "Settled"),
    "everstep.operations.completion": ("Completion", "Progress"),
    "everstep.plugins.api": ("Plugin",),
    "everstep.polling": ("Poll", "PollStrategy"),
    "everstep.retry": ("Retry", "RetryStrategy"),
    "everstep.runtime.perform": ("Callback",),
    "everstep.saga": ("Saga",),
    "everstep.serdes": ("JsonSerdes", "Serdes"),
    "everstep.service.embedded": ("Service",),
    "everstep.service.started": ("StartedExecution",),
    "everstep.step_context": ("StepContext", "get_step_context"),
    "everstep.synchronous": ("SyncCallback", "SyncContext", "SyncSaga"),
    "everstep.waiting": ("as_completed", "wait"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "BatchError",
    "BatchItem",
    "BatchResult",
    "Branch",
    "Callback",
    "CallbackError",
    "CallbackFailed",
    "CallbackSubmitterError",
    "CallbackTimeout",
    "ChildContextError",
    "Completion",
    "DurableContext",
    "DurableError",
    "DurableHandler",
    "Duration",
    "ExecutionAlreadyStarted",
    "ExecutionFailed",
    "InvokeError",
    "JsonSerdes",
    "NoneSucceeded",
    "OperationError",
    "PayloadTooLarge",
    "Plugin",
    "Poll",
    "PollStrategy",
    "Progress",
    "ReplayMismatch",
    "Retry",
    "RetryStrategy",
    "Saga",
    "SagaError",
    "Selected",
    "Serdes",
    "SerializationError",
    "Service",
    "ServiceError",
    "Settled",
    "StartedExecution",
    "StepContext",
    "StepError",
    "StepInterrupted",
    "StepTimeout",
    "SyncCallback",
    "SyncContext",
    "SyncSaga",
    "TupleResult",
    "UsageError",
    "WaitForConditionError",
    "__version__",
    "as_completed",
    "configure",
    "durable",
    "get_step_context",
    "wait",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'everstep' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
