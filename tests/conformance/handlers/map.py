"""Suite 9: map."""

from __future__ import annotations

from collections.abc import Sequence

from everstep import Completion, DurableContext, durable
from tests.conformance.handlers.batches import fails, projection
from tests.conformance.handlers.serdes import Prefixed, Results


async def upper(child: DurableContext, item: str) -> str:
    return item.upper()


async def succeed_or_fail(child: DurableContext, item: str) -> str:
    return await fails(child) if item == "fail" else item


async def completed(ctx: DurableContext, items: Sequence[str], completion: Completion, *without: str) -> dict[str, object]:
    return projection(await ctx.map(items, succeed_or_fail, max_concurrency=1, completion=completion), without=without)


@durable(warm_executions=0)
async def basic(event: list[str], ctx: DurableContext) -> list[str]:
    """9-1: a step for each item."""

    async def greet(child: DurableContext, item: str) -> str:
        async def greeting() -> str:
            return f"Hello, {item}!"

        return await child.step(greeting)

    return (await ctx.map(event, greet, name="map", max_concurrency=1)).get_results()


@durable(warm_executions=0)
async def unnamed(event: list[int], ctx: DurableContext) -> list[int]:
    """9-2: no name."""

    async def double(child: DurableContext, item: int) -> int:
        return item * 2

    return (await ctx.map(event, double, max_concurrency=1)).get_results()


@durable(warm_executions=0)
async def indexed(event: list[int], ctx: DurableContext) -> list[int]:
    """9-3: a body that takes the index."""

    async def add(child: DurableContext, item: int, index: int) -> int:
        return item + index

    return (await ctx.map(event, add, max_concurrency=1)).get_results()


@durable(warm_executions=0)
async def empty(event: list[str], ctx: DurableContext) -> list[str]:
    """9-4: no items."""
    return (await ctx.map(event, upper)).get_results()


@durable(warm_executions=0)
async def fail_fast(event: object, ctx: DurableContext) -> dict[str, object]:
    """9-5: the first failure ends it."""
    return await completed(ctx, ["ok", "fail", "never"], Completion(tolerated_failure_count=0))


@durable(warm_executions=0)
async def rethrown(event: object, ctx: DurableContext) -> None:
    """9-6: the failure is raised again."""
    completion = Completion(tolerated_failure_count=0)
    (await ctx.map(["fail", "never"], succeed_or_fail, max_concurrency=1, completion=completion)).throw_if_error()


@durable(warm_executions=0)
async def min_successful(event: object, ctx: DurableContext) -> dict[str, object]:
    """9-7: two successes are enough."""
    return await completed(ctx, ["a", "b", "c", "d"], Completion(min_successful=2), "status", "failureCount")


@durable(warm_executions=0)
async def tolerated(event: object, ctx: DurableContext) -> dict[str, object]:
    """9-8: one failure is tolerated."""
    return await completed(ctx, ["a", "fail", "c"], Completion(tolerated_failure_count=1))


@durable(warm_executions=0)
async def tolerance_exceeded(event: object, ctx: DurableContext) -> dict[str, object]:
    """9-9: the second failure ends it."""
    return await completed(ctx, ["fail", "fail", "never"], Completion(tolerated_failure_count=1), "status")


@durable(warm_executions=0)
async def percentage_exceeded(event: object, ctx: DurableContext) -> dict[str, object]:
    """9-10: half of the items fail."""
    return await completed(ctx, ["fail", "fail", "c", "d"], Completion(tolerated_failure_percentage=25), "status")


@durable(warm_executions=0)
async def concurrent(event: object, ctx: DurableContext) -> list[str]:
    """9-11: results by index."""
    return (await ctx.map(["r0", "r1", "r2"], succeed_or_fail, max_concurrency=2)).get_results()


@durable(warm_executions=0)
async def flat(event: object, ctx: DurableContext) -> list[str]:
    """9-12: items without contexts."""

    async def step(child: DurableContext, item: str) -> str:
        async def constant() -> str:
            return item

        return await child.step(constant)

    return (await ctx.map(["fa", "fb"], step, max_concurrency=1, nesting="flat")).get_results()


@durable(warm_executions=0)
async def named_items(event: list[int], ctx: DurableContext) -> list[int]:
    """9-13: items with names."""

    async def multiply(child: DurableContext, item: int) -> int:
        return item * 10

    batch = await ctx.map(event, multiply, name="named-items", max_concurrency=1, item_name=lambda item, index: f"item-{item}")
    return batch.get_results()


@durable(warm_executions=0)
async def item_serdes(event: object, ctx: DurableContext) -> list[str]:
    """9-14: items with a serdes of their own."""
    return (await ctx.map(["x", "y"], upper, max_concurrency=1, item_serdes=Prefixed("wrapped:"))).get_results()


@durable(warm_executions=0)
async def suspended(event: object, ctx: DurableContext) -> list[str]:
    """9-15: a wait in an item."""

    async def step(child: DurableContext, item: str) -> str:
        async def constant() -> str:
            return item

        if item == "r1":
            await child.wait(1)
        return await child.step(constant)

    return (await ctx.map(["r0", "r1"], step, max_concurrency=1)).get_results()


@durable(warm_executions=0)
async def large(event: object, ctx: DurableContext) -> dict[str, int]:
    """9-16: results too large to be recorded together."""

    async def large_result(child: DurableContext, item: str) -> str:
        return item * 70_000

    batch = await ctx.map(["a", "b", "c", "d"], large_result, max_concurrency=1)
    return {"successCount": batch.success_count, "totalCount": batch.total_count}


@durable(warm_executions=0)
async def replayed(event: object, ctx: DurableContext) -> list[str]:
    """9-17: a wait after a map."""
    batch = await ctx.map(["a", "b"], upper, max_concurrency=1)
    await ctx.wait(1)
    return batch.get_results()


@durable(warm_executions=0)
async def replayed_failure(event: object, ctx: DurableContext) -> dict[str, object]:
    """9-18: a wait after a map with a failure."""
    batch = await completed(ctx, ["ok", "fail"], Completion(tolerated_failure_count=1))
    await ctx.wait(1)
    return batch


@durable(warm_executions=0)
async def own_serdes(event: object, ctx: DurableContext) -> list[str]:
    """9-19: a map with a serdes of its own."""
    return (await ctx.map(["x", "y"], upper, max_concurrency=1, serdes=Results())).get_results()


@durable(warm_executions=0)
async def own_serdes_replayed(event: object, ctx: DurableContext) -> list[str]:
    """9-20: the same, read on replay."""
    batch = await ctx.map(["x", "y"], upper, max_concurrency=1, serdes=Results())
    await ctx.wait(1)
    return batch.get_results()
