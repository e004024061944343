"""Run a handler to its end on the real machine, in virtual time: one call for a test."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Never, TypeAlias

from everstep import DurableContext, SyncContext
from everstep.handler import DurableHandler
from everstep.protocol.shapes import Operation
from everstep.service.machine.model import Outcome
from everstep.testing.virtual import run_virtually
from tests.support.loopback import Faults, Loopback, Run, replay

Handler: TypeAlias = Callable[[Never, DurableContext], Coroutine[object, object, object]] | Callable[[Never, SyncContext], object]
"""A function that `@durable` takes, of whatever event."""
JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"


@dataclass
class Ran:
    """What came of it. seconds: virtual time that passed."""

    run: Run
    seconds: float

    @property
    def result(self) -> JsonValue:
        assert self.run.status == "SUCCEEDED", self.run.error
        value: JsonValue = json.loads(self.run.result or "null")
        return value

    @property
    def error(self) -> tuple[str | None, str | None]:
        assert self.run.status == "FAILED", self.run.result
        error = self.run.error
        assert error is not None
        return error.error_type, error.error_message

    def operation(self, name: str) -> Operation:
        """The only operation of that name."""
        (found,) = [record.operation for record in self.run.state.records.values() if record.operation.name == name]
        return found

    @property
    def event_types(self) -> list[str]:
        return [event.type for event in self.run.events]


def run_handler(
    handler: Handler,
    event: object = None,
    *,
    warm: bool = True,
    faults: Faults | None = None,
    answers: Mapping[str, tuple[float, Outcome]] | None = None,
    replays: bool = True,
) -> Ran:
    """Run `handler(event, ctx)` to the end of its execution.

    answers: by a callback's name, after how many seconds it is completed, and how. replays: check that a cold replay of the
    finished execution comes to the same result.
    """

    async def main() -> Ran:
        loopback = Loopback(DurableHandler(handler), json.dumps(event), faults=faults, warm=warm)
        loopback.answer = lambda callback: (answers or {}).get(callback.name or "")
        run = await loopback.run()
        if replays and run.status == "SUCCEEDED":
            replayed = await loopback.replay()
            assert (replayed.status, replayed.result) == ("SUCCEEDED", run.result)
        return Ran(run, loopback.seconds)

    return run_virtually(main())


def replay_with(ran: Ran, handler: Handler) -> tuple[str, str | None, str | None]:
    """What another handler comes to on the recorded operations: (status, error type or result, error message)."""
    output = run_virtually(replay(DurableHandler(handler), ran.run))
    if output.error is not None:
        return output.status, output.error.error_type, output.error.error_message
    return output.status, output.result, None


def succeeded(value: object) -> Outcome:
    """A callback's success with a JSON value."""
    return Outcome(status="SUCCEEDED", result=json.dumps(value))
