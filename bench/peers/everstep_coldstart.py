"""A minimal user module on everstep."""

from everstep import DurableContext, durable


async def only() -> int:
    return 1


@durable
async def handler(event: dict, ctx: DurableContext) -> int:
    return await ctx.step(only)


def build_client():
    """What the SDK does on the first invocation in Lambda."""
    from everstep.client.choose import client_from

    return client_from(None)
