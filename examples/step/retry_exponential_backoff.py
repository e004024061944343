"""A step that is tried again, each time after twice as long, with jitter so that many executions don't come back at once.

For services that are overloaded or restarting. Nothing runs during the delays.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, Retry, durable, get_step_context
from examples.run import run


async def fetch_forecast(city: str) -> str:
    if get_step_context().attempt < 4:
        raise ConnectionError("the weather service is restarting")
    return f"sun in {city}"


@durable
async def forecast(event: str, ctx: DurableContext) -> str:
    patient = Retry(max_attempts=6, initial_delay=2, backoff_rate=2, max_delay=timedelta(minutes=5), jitter="half")
    return await ctx.step(fetch_forecast, event, retry=patient)


if __name__ == "__main__":
    run(forecast, "Porto")
