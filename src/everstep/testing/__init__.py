"""Tests of durable handlers, in virtual time, on the real engine and the real service machine."""

from everstep.testing.answers import OpenCallback
from everstep.testing.async_runner import AsyncOpenExecution, AsyncRunner
from everstep.testing.cloud import CloudExecution, CloudRunner
from everstep.testing.exploring import Exploration, OutcomeChanged
from everstep.testing.faults import Crash, Doubled, Fault, Interrupted, LostAnswer, Slow, Throttled
from everstep.testing.records import RecordedExecution, RecordedOperation
from everstep.testing.runner import OpenExecution, Runner
from everstep.testing.setup import Nondeterministic

__all__ = [
    "AsyncOpenExecution",
    "AsyncRunner",
    "CloudExecution",
    "CloudRunner",
    "Crash",
    "Doubled",
    "Exploration",
    "Fault",
    "Interrupted",
    "LostAnswer",
    "Nondeterministic",
    "OpenCallback",
    "OpenExecution",
    "OutcomeChanged",
    "RecordedExecution",
    "RecordedOperation",
    "Runner",
    "Slow",
    "Throttled",
]
