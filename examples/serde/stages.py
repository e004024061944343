"""Stages: what is recorded is compressed, then encrypted, and the handler does not notice.

For records that should not be read by everybody who may read the history. Needs `everstep[zstd]` and `everstep[encryption]`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta

from everstep import DurableContext, durable
from everstep.stages import Compressed, Encrypted
from examples.run import run

KEY = os.urandom(32)
"""A real one comes from a secret store and outlives the process."""


@dataclass
class Diagnosis:
    patient: str
    text: str


async def examine(patient: str) -> Diagnosis:
    return Diagnosis(patient, "a broken leg, seen from here; " * 100)


@durable(stages=[Compressed(), Encrypted({"key-2026": KEY})])
async def treat(event: str, ctx: DurableContext) -> str:
    diagnosis = await ctx.step(examine, event)
    await ctx.wait(timedelta(weeks=6), name="plaster")
    return f"{diagnosis.patient} had {diagnosis.text.split(',')[0]}"


if __name__ == "__main__":
    run(treat, "Ada")
