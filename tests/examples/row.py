"""A row of the examples' table: an example, what it is given, and what has to come of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import TypeVar

from examples.run import Answer, Function, Played, play

from everstep import DurableHandler

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True)
class Row:
    """case: tells the rows of one module apart. durables: every durable function that takes part. took: None if chance decides."""

    module: str
    case: str
    play: Callable[[], Played[object]]
    durables: Sequence[object]
    result: object
    failure: tuple[str, str] | None
    operations: Sequence[str]
    took: timedelta | None

    @property
    def id(self) -> str:
        return self.module.removeprefix("examples.") + (f": {self.case}" if self.case else "")


def row(
    handler: DurableHandler[In, Out],
    event: In,
    *,
    result: object = None,
    failure: tuple[str, str] | None = None,
    operations: Sequence[str],
    took: timedelta | None = timedelta(),  # immutable
    answers: Mapping[str, Answer] | None = None,
    functions: Sequence[Function] = (),
    case: str = "",
) -> Row:
    """failure: type and message of the error that the execution ends with. operations: see `told`."""

    def run() -> Played[object]:
        played = play(handler, event, answers=answers, functions=functions)
        return Played(played.result, played.failure, played.history, played.took)

    durables = [function for function in (handler, *functions) if isinstance(function, DurableHandler)]
    return Row(handler.__module__, case, run, durables, result, failure, operations, took)


def asked(name: str) -> list[str]:
    """What a `wait_for_callback` of that name records."""
    return [f"WaitForCallback {name}", f"Callback {name} create callback id", f"Step {name} submitter"]


def told(operations: Sequence[str]) -> list[str]:
    """Operations as the table tells them: "3 x Step load" for a run of equal ones, "Step lamp 0 to 7" for one that counts."""
    lines: list[str] = []
    counting = ("", 0, 0)  # text, first and last number of the line that came last
    for operation, run in groupby(operations):
        times = len(list(run))
        numbered = re.fullmatch(r"(.*\D)(\d+)", operation)
        text, number = (numbered[1], int(numbered[2])) if numbered and times == 1 else ("", 0)
        if text and counting[0] == text and number == counting[2] + 1:
            counting = (text, counting[1], number)
            lines[-1] = f"{text}{counting[1]} to {number}"
        else:
            counting = (text, number, number)
            lines.append(operation if times == 1 else f"{times} x {operation}")
    return lines
