"""A condition that is being waited for: a step whose attempts are polls, and whose state travels from one to the next.

Rule: each poll gets the state that the last one came to, as it was recorded; a check that raises ends the operation.
Source: wait-for-condition of the official SDKs: RETRY with the state as payload.
"""

from __future__ import annotations

from contextvars import Context
from math import ceil
from random import random

from everstep.errors import WaitForConditionError
from everstep.failures import describe
from everstep.polling import Exhausted, Poll, PollStrategy, next_poll
from everstep.runtime.engine import Engine
from everstep.runtime.live_step import LiveStep, StepCall


class LiveCondition(LiveStep):
    """A condition that is not met yet."""

    __slots__ = ("_strategy", "_within_s")

    def __init__(
        self,
        engine: Engine,
        call: StepCall,
        context: Context,
        strategy: Poll[object] | PollStrategy[object],
        within_s: float | None,
    ) -> None:
        """call: its only argument is the initial state. within_s: seconds from the first poll to the last."""
        super().__init__(engine, call, context)
        self._strategy = strategy
        self._within_s = within_s

    def _arguments(self) -> tuple[object, ...]:
        recorded = self._engine.journal.operations.get(self._call.operation_id)
        text = recorded.step_details.result if recorded is not None and recorded.step_details is not None else None
        if text is not None:
            return (self._read(text),)
        (initial,) = self._call.arguments
        return (self._call.serdes.deserialize(self._call.serdes.serialize(initial)),)  # as every later state

    def _returned(self, payload: str) -> None:
        state = self._read(payload)
        try:
            delay = next_poll(self._strategy, state, self._attempt, random())
        except Exhausted as exhausted:
            raise WaitForConditionError(str(exhausted)) from None
        if delay is None:
            self._send("SUCCEED", payload=payload, urgent=True)
        else:
            self._send("RETRY", payload=payload, delay=self._within_limit(delay), urgent=True)

    def _failed(self, error: Exception) -> None:
        self._send("FAIL", error=describe(error), urgent=True)

    def _read(self, text: str) -> object:
        return self._call.serdes.deserialize(self._engine.texts.read(text, self._call.operation_id))

    def _within_limit(self, delay: int) -> int:
        """The last poll is at the limit itself. Raises WaitForConditionError once that is past."""
        if self._within_s is None:
            return delay
        recorded = self._engine.journal.operations.get(self._call.operation_id)
        elapsed_s = 0.0 if recorded is None else self._engine.clock() - recorded.start_timestamp / 1000
        if elapsed_s >= self._within_s:
            raise WaitForConditionError(f"the condition was not met within {self._within_s:g} s")
        return min(delay, ceil(self._within_s - elapsed_s))
