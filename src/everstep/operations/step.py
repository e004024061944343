"""A step: one function call that is recorded, and tried again when it fails.

Rule: an at-least-once step that was begun and not finished is run again; an at-most-once one is not: whether it took effect
is unknown, and the retry strategy decides about a StepInterrupted.
Source: transition table of the service for STEP, and the official SDKs' treatment of each status they may find.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from everstep.errors import UsageError
from everstep.protocol.shapes import Operation

Semantics: TypeAlias = Literal["at_least_once", "at_most_once"]
"""How often a body may run per attempt when it is interrupted before its outcome is recorded."""


class RunAttempt(Struct, frozen=True):
    """Run the body. attempt: its number, from 1. begin: whether its START has to be recorded."""

    attempt: int
    begin: bool


class Interrupted(Struct, frozen=True):
    """An at-most-once attempt was cut off: let the retry strategy decide."""

    attempt: int


class AwaitRetry(Struct, frozen=True):
    """The next attempt is not due yet."""


Decision: TypeAlias = RunAttempt | Interrupted | AwaitRetry


def decide(recorded: Operation | None, semantics: Semantics) -> Decision:
    """What to do about a step that is not finished."""
    if recorded is None:
        return RunAttempt(attempt=1, begin=True)
    finished = (recorded.step_details.attempt or 0) if recorded.step_details else 0
    match recorded.status:
        case "READY":
            return RunAttempt(attempt=finished + 1, begin=True)
        case "PENDING":
            return AwaitRetry()
        case _ if semantics == "at_most_once":
            return Interrupted(attempt=finished + 1)
        case _:
            return RunAttempt(attempt=finished + 1, begin=False)


def checked_semantics(semantics: Semantics) -> Semantics:
    """Raises UsageError if it is neither of the two."""
    if semantics not in ("at_least_once", "at_most_once"):
        raise UsageError(f'semantics is {semantics!r}; it must be "at_least_once" or "at_most_once"')
    return semantics
