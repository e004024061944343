"""An invoked function that fails: InvokeError, which is also what the function raised, where that class is known here.

`error_type` tells it in any case, for functions in other places and other languages.
"""

from __future__ import annotations

from everstep import DurableContext, InvokeError, durable
from examples.run import run


class AddressUnknown(Exception):
    """No such street."""


async def geocode(event: str) -> list[float]:
    if event == "Nowhere 1":
        raise AddressUnknown(event)
    return [48.2, 16.37]


@durable
async def plan_route(event: list[str], ctx: DurableContext) -> list[str]:
    stops: list[str] = []
    for function, address in zip(["geocode", "geocode", "geocoding-of-old"], event, strict=True):
        try:
            north, east = await ctx.invoke(function, address, returns=list[float])
            stops.append(f"{north} N {east} E")
        except AddressUnknown as error:
            stops.append(f"ask the customer about {error}")
        except InvokeError as error:
            stops.append(f"{error.error_type}")
    return stops


if __name__ == "__main__":
    run(plan_route, ["Ring 1", "Nowhere 1", "Ring 2"], functions=[geocode])
