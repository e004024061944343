"""Combinators: which of several awaitables decide, and what is recorded of the decision.

Rule: only the decision is recorded (which member, or that all have ended). The members' values stay in their own records, so
they come back with their own types.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Literal, TypeAlias, TypeVar, cast

import msgspec

from everstep.errors import NoneSucceeded, SerializationError
from everstep.failures import type_name

T = TypeVar("T")
Combinator: TypeAlias = Literal["All", "Any", "Race", "AllSettled", "Select"]


class Settled(msgspec.Struct, Generic[T], frozen=True):
    """How a member ended: with its value, or with its error."""

    status: Literal["SUCCEEDED", "FAILED"]
    value: T | None = None
    error: Exception | None = None


class Selected(msgspec.Struct, Generic[T], frozen=True):
    """The named member that ended first, and its value."""

    name: str
    value: T


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is recorded. winner: the index of the member that decided; None: all have ended, and all count."""

    winner: int | None = None


def decide(combinator: Combinator, ended: Sequence[tuple[int, bool]], total: int) -> Decision | None:
    """The decision, or None while there is none.

    ended: (index, whether it succeeded) of the members that have ended, in the order in which they did.
    """
    for index, succeeded in ended:
        if combinator in ("Race", "Select") or (combinator == "Any" and succeeded) or (combinator == "All" and not succeeded):
            return Decision(index)
    return Decision() if len(ended) >= total else None


def decision_text(decision: Decision) -> str:
    return msgspec.json.encode(decision).decode()


def read_decision(text: str) -> Decision:
    """Raises SerializationError."""
    try:
        return msgspec.json.decode(text, type=Decision)
    except msgspec.MsgspecError as error:
        raise SerializationError(f"the recorded decision of a combinator can't be read: {error}") from error


def value_of(member: Settled[T]) -> T:
    """A member's value. Raises its error."""
    if member.error is not None:
        raise member.error
    return cast("T", member.value)


def none_succeeded(errors: Sequence[Exception]) -> NoneSucceeded:
    """The error of an `any` whose members all failed."""
    told = "; ".join(f"{type(error).__name__}: {error}" for error in errors) or "it has no members"
    failure = NoneSucceeded(f"none of {len(errors)} succeeded: {told}", type_name(NoneSucceeded))
    failure.errors = tuple(errors)
    return failure
