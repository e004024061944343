"""A callback that may take any time as long as the other side shows that it is alive.

For long jobs elsewhere: silence means that something broke, slowness does not.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import CallbackTimeout, DurableContext, durable
from examples.run import Answer, run, tell


async def submit(scene: str, callback_id: str) -> None:
    """The render farm calls SendDurableExecutionCallbackHeartbeat every few minutes, and at the end the callback's success."""
    await tell("render farm", callback_id)


@durable
async def render(event: str, ctx: DurableContext) -> str:
    film = await ctx.create_callback(name="film", returns=str, heartbeat_timeout=timedelta(minutes=15))
    await ctx.step(submit, event, film.callback_id)
    try:
        return await film
    except CallbackTimeout:
        return f"{event} has to be rendered elsewhere"


if __name__ == "__main__":
    farm = Answer("intro.mp4", after=timedelta(hours=11), heartbeat_every=timedelta(minutes=5))
    run(render, "intro", answers={"render farm": farm})
