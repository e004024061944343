"""Suite 8: parallel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from everstep import Branch, Completion, DurableContext, durable
from tests.conformance.handlers.batches import fails, projection, returns, steps
from tests.conformance.handlers.serdes import Wrapped


async def completed(
    ctx: DurableContext, branches: Sequence[Callable[[DurableContext], Awaitable[str]]], completion: Completion, *without: str
) -> dict[str, object]:
    return projection(await ctx.parallel(branches, max_concurrency=1, completion=completion), without=without)


@durable(warm_executions=0)
async def basic(event: object, ctx: DurableContext) -> list[str]:
    """8-1: two branches with a step each."""
    return (await ctx.parallel([steps("task-1"), steps("task-2")], name="parallel", max_concurrency=1)).get_results()


@durable(warm_executions=0)
async def unnamed(event: object, ctx: DurableContext) -> list[str]:
    """8-2: no name."""
    return (await ctx.parallel([returns("alpha"), returns("beta")], max_concurrency=1)).get_results()


@durable(warm_executions=0)
async def named_branches(event: object, ctx: DurableContext) -> list[str]:
    """8-3: branches with names."""
    branches = [Branch(returns("one"), "first"), Branch(returns("two"), "second")]
    return (await ctx.parallel(branches, name="named", max_concurrency=1)).get_results()


@durable(warm_executions=0)
async def types(event: object, ctx: DurableContext) -> list[object]:
    """8-4: results of different types."""
    branches: list[Callable[[DurableContext], Awaitable[object]]] = [returns("hello"), returns(42), returns({"k": "v"})]
    return (await ctx.parallel(branches, max_concurrency=1)).get_results()


@durable(warm_executions=0)
async def empty(event: object, ctx: DurableContext) -> list[object]:
    """8-5: no branches."""
    branches: list[Callable[[DurableContext], Awaitable[object]]] = []
    return (await ctx.parallel(branches)).get_results()


@durable(warm_executions=0)
async def fail_fast(event: object, ctx: DurableContext) -> dict[str, object]:
    """8-6: the first failure ends it."""
    return await completed(ctx, [returns("ok"), fails, returns("never")], Completion(tolerated_failure_count=0))


@durable(warm_executions=0)
async def rethrown(event: object, ctx: DurableContext) -> None:
    """8-7: the failure is raised again."""
    batch = await ctx.parallel([fails, returns("never")], max_concurrency=1, completion=Completion(tolerated_failure_count=0))
    batch.throw_if_error()


@durable(warm_executions=0)
async def min_successful(event: object, ctx: DurableContext) -> dict[str, object]:
    """8-8: two successes are enough."""
    return await completed(ctx, [returns(f"r{number}") for number in range(4)], Completion(min_successful=2), "status", "failureCount")


@durable(warm_executions=0)
async def tolerated(event: object, ctx: DurableContext) -> dict[str, object]:
    """8-9: one failure is tolerated."""
    return await completed(ctx, [returns("r0"), fails, returns("r2")], Completion(tolerated_failure_count=1))


@durable(warm_executions=0)
async def tolerance_exceeded(event: object, ctx: DurableContext) -> dict[str, object]:
    """8-10: the second failure ends it."""
    return await completed(ctx, [fails, fails, returns("never")], Completion(tolerated_failure_count=1), "status")


@durable(warm_executions=0)
async def concurrent(event: object, ctx: DurableContext) -> list[str]:
    """8-11: results by index."""
    return (await ctx.parallel([returns(f"r{number}") for number in range(3)], max_concurrency=2)).get_results()


@durable(warm_executions=0)
async def flat(event: object, ctx: DurableContext) -> list[str]:
    """8-12: branches without contexts."""
    return (await ctx.parallel([steps("fa"), steps("fb")], max_concurrency=1, nesting="flat")).get_results()


@durable(warm_executions=0)
async def percentage_exceeded(event: object, ctx: DurableContext) -> dict[str, object]:
    """8-13: half of the branches fail."""
    branches = [fails, fails, returns("r2"), returns("r3")]
    return await completed(ctx, branches, Completion(tolerated_failure_percentage=25), "status")


@durable(warm_executions=0)
async def suspended(event: object, ctx: DurableContext) -> list[str]:
    """8-14: a branch with a wait."""

    async def waits(child: DurableContext) -> str:
        await child.wait(2)
        return "b1"

    return (await ctx.parallel([steps("b0"), waits], max_concurrency=1)).get_results()


@durable(warm_executions=0)
async def item_serdes(event: object, ctx: DurableContext) -> list[str]:
    """8-15: branches with a serdes of their own."""
    return (await ctx.parallel([returns("x"), returns("y")], max_concurrency=1, item_serdes=Wrapped())).get_results()


@durable(warm_executions=0)
async def all_fail(event: object, ctx: DurableContext) -> dict[str, object]:
    """8-16: as many failures as are tolerated."""
    return await completed(ctx, [fails, fails, fails], Completion(tolerated_failure_count=3))


@durable(warm_executions=0)
async def min_not_reached(event: object, ctx: DurableContext) -> dict[str, object]:
    """8-17: fewer successes than wanted."""
    return await completed(ctx, [returns("r0"), fails, returns("r2")], Completion(min_successful=3))


@durable(warm_executions=0)
async def combined(event: object, ctx: DurableContext) -> dict[str, object]:
    """8-18: failures end it before there are enough successes."""
    branches = [fails, fails, returns("r2"), returns("r3")]
    return await completed(ctx, branches, Completion(min_successful=3, tolerated_failure_count=1), "status")


@durable(warm_executions=0)
async def no_concurrency(event: object, ctx: DurableContext) -> list[str]:
    """8-19: a concurrency of zero."""
    return (await ctx.parallel([returns("a"), returns("b")], max_concurrency=0)).get_results()


@durable(warm_executions=0)
async def accessors(event: object, ctx: DurableContext) -> dict[str, object]:
    """8-20: what a batch result tells."""
    completion = Completion(tolerated_failure_count=1)
    batch = await ctx.parallel([returns("r0"), fails, returns("r2")], max_concurrency=1, completion=completion)
    return {
        "hasFailure": batch.has_failure,
        "successCount": len(batch.succeeded()),
        "failureCount": len(batch.failed()),
        "errorCount": len(batch.get_errors()),
    }


@durable(warm_executions=0)
async def nested(event: object, ctx: DurableContext) -> list[list[str]]:
    """8-21: parallel in parallel."""

    async def inner(child: DurableContext) -> list[str]:
        return (await child.parallel([steps("i1"), steps("i2")], max_concurrency=1)).get_results()

    return (await ctx.parallel([inner], max_concurrency=1)).get_results()


@durable(warm_executions=0)
async def percentage_reached(event: object, ctx: DurableContext) -> dict[str, object]:
    """8-22: exactly the tolerated percentage fails."""
    branches = [fails, *(returns(f"r{number}") for number in (1, 2, 3))]
    return await completed(ctx, branches, Completion(tolerated_failure_percentage=25))
