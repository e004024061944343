"""A retry strategy of one's own: a function of the error and the attempt that answers with a delay, or with None to give up.

When the error itself says how long to wait, as an API's "retry after" does.
"""

from __future__ import annotations

from everstep import DurableContext, durable, get_step_context
from examples.run import run


class TooManyRequests(Exception):
    def __init__(self, retry_after: int) -> None:
        super().__init__(f"come back in {retry_after} s")
        self.retry_after = retry_after


def as_told(error: Exception, attempt: int) -> int | None:
    if isinstance(error, TooManyRequests) and attempt < 5:
        return error.retry_after
    return None


async def translate(text: str) -> str:
    attempt = get_step_context().attempt
    if attempt < 3:
        raise TooManyRequests(retry_after=60 * attempt)
    return text.upper()


@durable
async def translation(event: str, ctx: DurableContext) -> str:
    return await ctx.step(translate, event, retry=as_told)


if __name__ == "__main__":
    run(translation, "good morning")
