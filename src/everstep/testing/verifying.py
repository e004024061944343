"""Exported histories as a test: may the handler go on with them?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar, cast

from everstep.handler import DurableHandler
from everstep.histories.reading import files_of, read_recording
from everstep.histories.report import explained
from everstep.histories.verification import Verdict, verify

In = TypeVar("In")
Out = TypeVar("Out")


async def verify_files(handler: DurableHandler[In, Out], histories: Sequence[str | Path]) -> list[Verdict]:
    """Raises AssertionError at the first that the handler can't go on with, UsageError if one cannot be read."""
    verdicts: list[Verdict] = []
    for path in files_of([Path(history) for history in histories]):
        recording = read_recording(path.read_bytes(), str(path))
        verdict = await verify(cast("DurableHandler[object, object]", handler), recording)
        if verdict.divergence is not None:
            raise AssertionError("\n".join([f"{handler.name} cannot go on with {path}:", *explained(verdict.divergence)]))
        verdicts.append(verdict)
    return verdicts
