"""A submitted job that is watched by its heartbeats: when they stop, it is submitted to somebody else.

Every `wait_for_callback` takes both limits, as `create_callback` does.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import CallbackTimeout, DurableContext, durable
from examples.run import Answer, run, tell


async def submit(callback_id: str, recording: str, office: str) -> None:
    await tell(office, callback_id)


@durable
async def transcribe(event: str, ctx: DurableContext) -> str:
    for office in ("cheap office", "good office"):
        try:
            return await ctx.wait_for_callback(submit, event, office, returns=str, name=office, heartbeat_timeout=timedelta(hours=1))
        except CallbackTimeout:
            continue
    return "nobody types it"


if __name__ == "__main__":
    good = Answer("Ladies and gentlemen, ...", after=timedelta(hours=7), heartbeat_every=timedelta(minutes=45))
    run(transcribe, "speech.wav", answers={"good office": good})
