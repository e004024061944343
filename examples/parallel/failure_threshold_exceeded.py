"""More failures than are borne: the parallel ends at that point, and says why; nothing is raised unless it is asked to.

What had not ended by then is cancelled. The handler decides whether that is a failure of its own.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import Branch, Completion, DurableContext, Retry, durable
from examples.run import run


async def switch(line: str) -> str:
    if line in ("red", "blue", "green"):
        raise RuntimeError(f"the {line} line does not start")
    return f"{line} runs"


def try_out(line: str, minutes: int) -> Branch[str]:
    async def body(child: DurableContext) -> str:
        await child.wait(timedelta(minutes=minutes), name="warms up")
        return await child.step(switch, line, retry=Retry.none())

    return Branch(body, name=line)


@durable
async def start_factory(event: dict[str, int], ctx: DurableContext) -> list[str]:
    lines = await ctx.parallel([try_out(*line) for line in event.items()], completion=Completion(tolerated_failure_count=1))
    if lines.completion_reason == "FAILURE_TOLERANCE_EXCEEDED":
        return ["closed today", *(str(error) for error in lines.get_errors()), f"{lines.started_count} not tried to the end"]
    return lines.get_results()


if __name__ == "__main__":
    run(start_factory, {"white": 1, "red": 2, "blue": 3, "green": 4, "black": 60})
