"""`ctx.all_settled`: how every member ended, failures included; it raises for none of them.

For a report on several things of which some may be broken.
"""

from __future__ import annotations

from everstep import DurableContext, Retry, durable
from examples.run import run


async def check(service: str) -> str:
    if service == "printer":
        raise ConnectionError("out of paper")
    return "fine"


@durable
async def health(event: list[str], ctx: DurableContext) -> dict[str, str]:
    checks = await ctx.all_settled(*(ctx.step(check, service, name=service, retry=Retry.none()) for service in event))
    return {
        service: check.value or "?" if check.status == "SUCCEEDED" else f"broken: {check.error}"
        for service, check in zip(event, checks, strict=True)
    }


if __name__ == "__main__":
    run(health, ["mail", "printer", "door"])
