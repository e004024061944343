"""Those who answer callbacks: what they do about one, by its name.

Rule: an answer is found by the name that was given to `create_callback` or `wait_for_callback`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from everstep.durations import Duration, positive_seconds, seconds_of
from everstep.errors import UsageError
from everstep.failures import describe
from everstep.protocol.shapes import ErrorObject, Operation
from everstep.serdes import serdes_for
from everstep.service.machine.model import Outcome

OF_WAIT_FOR_CALLBACK: Final = " create callback id"
"""What `wait_for_callback` adds to its name for the callback inside it. Source: the official SDKs."""


@dataclass(frozen=True)
class Answer:
    """What somebody does about a callback. outcome: None for somebody who never answers.

    after_s: how long they take. heartbeat_s: how often they show meanwhile that they are at it, None if they don't.
    """

    outcome: Outcome | None
    after_s: float = 0
    heartbeat_s: float | None = None


IGNORED: Final = Answer(None)
"""Nobody ever answers."""


def answer(
    returns: object, text: str | None, raises: Exception | ErrorObject | None, after: Duration, heartbeat_every: Duration | None
) -> Answer:
    """Raises UsageError if it says two things at once, SerializationError if the value cannot be written."""
    if sum(part is not None for part in (returns, text, raises)) > 1:
        raise UsageError("a callback is answered with one of returns=, text= and raises=")
    return Answer(
        outcome_of(returns, text, raises),
        seconds_of(after, "after"),
        None if heartbeat_every is None else positive_seconds("heartbeat_every", heartbeat_every),
    )


def outcome_of(returns: object = None, text: str | None = None, raises: Exception | ErrorObject | None = None) -> Outcome:
    """How the callback ends by this answer."""
    if raises is not None:
        return Outcome(status="FAILED", error=describe(raises) if isinstance(raises, Exception) else raises)
    return Outcome(status="SUCCEEDED", result=serdes_for(object).serialize(returns) if text is None else text)


class OpenCallback:
    """A callback that waits for an answer. Answering raises ServiceError if it is over by then."""

    def __init__(self, callback_id: str, name: str, complete: Callable[[Outcome], None], heartbeat: Callable[[], None]) -> None:
        self.id, self.name = callback_id, name
        self._complete, self._heartbeat = complete, heartbeat

    def __repr__(self) -> str:
        return f"<callback {self.name!r}>"

    def succeed(self, value: object = None, *, text: str | None = None) -> None:
        """value: written as JSON. text: instead of a value, the result as it is to be read."""
        self._complete(outcome_of(value, text))

    def fail(self, error: Exception | ErrorObject | None = None) -> None:
        self._complete(outcome_of(raises=error or ErrorObject()))

    def heartbeat(self) -> None:
        self._heartbeat()


def name_of(callback: Operation) -> str:
    """The name that the handler gave."""
    return (callback.name or "").removesuffix(OF_WAIT_FOR_CALLBACK)


def unanswered(names: list[str], answers: Mapping[str, object]) -> UsageError:
    """Nobody will ever answer these callbacks, so the execution would wait until its timeout."""
    known = f" Answers are registered for {', '.join(map(repr, answers))}." if answers else ""
    listed = ", ".join(map(repr, names))
    return UsageError(
        f"the execution waits for the callback {listed}, which nobody answers.{known} Say runner.on_callback({names[0]!r}, returns=…) "
        f"before, answer it by hand (runner.start, then until_callback), or runner.ignore_callback({names[0]!r}) to let it time out"
    )
