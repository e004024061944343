"""A completion rule of one's own: a function of the progress that says when the parallel is complete, and how it ended.

Here a jury of three: two votes decide, for or against.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from everstep import Branch, Completion, DurableContext, Progress, Retry, durable
from examples.run import run


def majority(progress: Progress) -> Literal["SUCCEEDED", "FAILED"] | None:
    needed = progress.total_count // 2 + 1
    if progress.success_count >= needed:
        return "SUCCEEDED"
    return "FAILED" if progress.failure_count >= needed else None


async def judge(name: str, likes: bool) -> str:
    if not likes:
        raise ValueError(f"{name} is bored")
    return name


def juror(name: str, days: int, likes: bool) -> Branch[str]:
    async def body(child: DurableContext) -> str:
        await child.wait(timedelta(days=days), name="reads")
        return await child.step(judge, name, likes, retry=Retry.none())

    return Branch(body, name=name)


@durable
async def judge_novel(event: dict[str, tuple[int, bool]], ctx: DurableContext) -> str:
    jury = await ctx.parallel([juror(name, *opinion) for name, opinion in event.items()], completion=Completion(should_complete=majority))
    prize = "prize" if jury.completion_reason == "CUSTOM_COMPLETION_SUCCEEDED" else "no prize"
    return f"{prize}: {jury.success_count} for, {jury.failure_count} against, {jury.started_count} not heard"


if __name__ == "__main__":
    run(judge_novel, {"Ada": (9, True), "Ben": (3, False), "Cy": (5, True)})
