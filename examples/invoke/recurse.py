"""A function that goes on as a new execution of itself: each round begins with a short history.

For loops over thousands of things, and for what goes on longer than an execution may.
"""

from __future__ import annotations

from dataclasses import dataclass

from everstep import DurableContext, durable
from examples.run import run

LETTERS = [f"letter {number}" for number in range(10)]


@dataclass
class Round:
    first: int = 0
    answered: int = 0


async def answer(letter: str) -> int:
    return 1


@durable
async def answer_letters(event: Round, ctx: DurableContext) -> int:
    answered = event.answered
    for letter in LETTERS[event.first : event.first + 4]:
        answered += await ctx.step(answer, letter, name=letter)
    if event.first + 4 >= len(LETTERS):
        return answered
    return await ctx.recurse(Round(event.first + 4, answered), returns=int, name="next round")


if __name__ == "__main__":
    run(answer_letters, Round())
