"""Crashes at every point of an execution, one after the other: does the outcome stay the same?

Rule: a point is before or after each checkpoint, and the end of each invocation with its answer. Between two of them nothing is
recorded, so a crash anywhere else is one of these to the execution. Each run begins anew and replays cold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import msgspec

from everstep.errors import UsageError
from everstep.protocol.shapes import OperationUpdate
from everstep.testing.faults import Crash, Fault
from everstep.testing.records import RecordedExecution
from everstep.testing.setup import Trial

Out = TypeVar("Out")

_MOST_NAMED: Final = 4
"""Updates of a checkpoint that are named."""


class OutcomeChanged(AssertionError):
    """A crash changed what came of an execution. crashes: where. execution: what came of it."""

    def __init__(self, message: str, crashes: Sequence[Crash], execution: RecordedExecution[object] | None) -> None:
        self.crashes, self.execution = tuple(crashes), execution
        super().__init__(message)


@dataclass(frozen=True)
class Exploration(Generic[Out]):
    """points: how many ways to crash were tried. execution: the one without a crash, whose outcome all the others had."""

    points: int
    execution: RecordedExecution[Out]


class Explorer(Generic[Out]):
    """begin: makes the execution, with these faults. before_each: puts the world outside back. observe: what of it is compared."""

    def __init__(
        self,
        begin: Callable[[Sequence[Fault]], Trial[Out]],
        before_each: Callable[[], object] | None,
        observe: Callable[[], object] | None,
    ) -> None:
        self._begin, self._before_each, self._observe = begin, before_each, observe

    async def explore(self, *, pairs: bool) -> Exploration[Out]:
        """Raises OutcomeChanged at the first point that makes a difference."""
        calm, expected = await self._run(())
        execution = calm.record()
        points = 0
        for crash in _crashes(execution, calm.sent):
            crashed = await self._try([crash], calm, expected)
            points += 1
            if pairs:
                for second in _crashes(crashed.record(), crashed.sent, after=crash):
                    await self._try([crash, second], calm, expected)
                    points += 1
        return Exploration(points, execution)

    async def _try(self, crashes: Sequence[Crash], calm: Trial[Out], expected: Sequence[object]) -> Trial[Out]:
        where = " and ".join(_told(crash, calm.sent) for crash in crashes)
        try:
            trial, came_to = await self._run(crashes)
        except (AssertionError, UsageError) as error:
            raise OutcomeChanged(f"{where}: {error}", crashes, None) from error
        if came_to != expected:
            record = trial.record()
            changed = next(
                f"{what} is {now!r}, and without a crash {was!r}"
                for what, was, now in zip(_COMPARED, expected, came_to, strict=True)
                if was != now
            )
            raise OutcomeChanged(f"{where}: {changed}\n{record.tree()}", crashes, record)
        return trial

    async def _run(self, crashes: Sequence[Fault]) -> tuple[Trial[Out], Sequence[object]]:
        if self._before_each is not None:
            self._before_each()
        trial = self._begin(crashes)
        execution = await trial.finish(checks_replay=not crashes)
        error = execution.error
        result: object = msgspec.json.decode(execution.text) if execution.text else None
        observed = self._observe() if self._observe is not None else None
        return trial, (execution.status, result, error and error.error_type, error and error.error_message, observed)


_COMPARED: Final = ("the status", "the result", "the error's type", "the error's message", "what was observed")


def _crashes(
    execution: RecordedExecution[object], sent: Sequence[Sequence[OperationUpdate]], after: Crash | None = None
) -> Iterator[Crash]:
    """after: only those that come later."""
    first = after.at + 1 if after is not None and after.when != "output" else 1
    for at in range(first, len(sent) + 1):
        yield Crash(at)
        yield Crash(at, "after")
    if after is None or after.when == "output":
        for at in range(1 if after is None else after.at + 1, execution.invocations + 1):
            yield Crash(at, "output")


def _told(crash: Crash, sent: Sequence[Sequence[OperationUpdate]]) -> str:
    if crash.when == "output" or crash.at > len(sent):
        return str(crash)
    updates = sent[crash.at - 1]
    named = [f"{update.action} {update.sub_type or update.type} {update.name or ''}".strip() for update in updates[:_MOST_NAMED]]
    more = f" and {len(updates) - _MOST_NAMED} more" if len(updates) > _MOST_NAMED else ""
    return f"{crash} ({', '.join(named) or 'nothing to record'}{more})"
