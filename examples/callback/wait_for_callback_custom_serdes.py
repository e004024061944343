"""An answer that is more than JSON's types can say, read by a serdes of one's own.

The same serdes can be given to a step, a child context, an invoke, or the items of a map.
"""

from __future__ import annotations

import json
from datetime import timedelta
from fractions import Fraction

from everstep import DurableContext, SerializationError, durable
from examples.run import Answer, run, tell


class AsFraction:
    """Written as "3/8"."""

    def serialize(self, value: Fraction) -> str:
        return json.dumps(str(value))

    def deserialize(self, text: str) -> Fraction:
        try:
            return Fraction(json.loads(text))
        except (TypeError, ValueError) as error:
            raise SerializationError(f"{text} is no fraction") from error


async def ask_heir(callback_id: str, heir: str) -> None:
    await tell(heir, callback_id)


@durable
async def divide(event: list[str], ctx: DurableContext) -> str:
    shares = [await ctx.wait_for_callback(ask_heir, heir, serdes=AsFraction(), name=heir) for heir in event]
    return f"{sum(shares)} is claimed, {1 - sum(shares)} is left"


if __name__ == "__main__":
    run(divide, ["Ada", "Ben"], answers={"Ada": Answer("3/8", after=timedelta(days=1)), "Ben": Answer("1/4", after=timedelta(days=2))})
