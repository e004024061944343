"""What can go wrong between a handler and its service, to be given to a runner.

Rule: a checkpoint has a number, from 1, over all invocations of the execution under test. A fault says at which it comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Moment: TypeAlias = Literal["before", "after", "output"]


@dataclass(frozen=True)
class Crash:
    """The handler's process dies, and the next invocation begins in another one.

    when: "before" the checkpoint arrives, "after" it is recorded; "output": at counts invocations instead, and it dies with
    its answer.
    """

    at: int
    when: Moment = "before"

    def __str__(self) -> str:
        match self.when:
            case "before":
                return f"crash before checkpoint {self.at} arrives"
            case "after":
                return f"crash after checkpoint {self.at} is recorded"
            case "output":
                return f"crash at the end of invocation {self.at}, with its answer"


@dataclass(frozen=True)
class Interrupted:
    """The handler's process dies when the body of this step has run, and before its outcome is recorded.

    step: its name. attempt: counts the outcomes that were to be recorded of steps with this name.
    """

    step: str
    attempt: int = 1


@dataclass(frozen=True)
class LostAnswer:
    """The checkpoint is recorded, its answer is lost, and the client asks again."""

    at: int


@dataclass(frozen=True)
class Doubled:
    """The request of the checkpoint arrives twice."""

    at: int


@dataclass(frozen=True)
class Throttled:
    """The service refuses so many checkpoints in a row: the invocation fails, and is tried again after a while."""

    at: int
    times: int = 1


@dataclass(frozen=True)
class Slow:
    """The service takes its time. seconds: for the checkpoint, or for each one (at=None)."""

    seconds: float
    at: int | None = None


Fault: TypeAlias = Crash | Interrupted | LostAnswer | Doubled | Throttled | Slow
