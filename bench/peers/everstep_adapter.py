"""Everstep in the scenario suite: `async def` bodies, or plain functions throughout. It is copied into the suite."""

from __future__ import annotations

from typing import Any

from adapters.base import Branches, FanOut, Handler, Program, Sequential, StepCounter, Waits  # the suite's

from everstep import DurableContext, SyncContext, durable


class Everstep:
    client_kind = "async"

    def real_client(self) -> Any:
        return None  # what it builds for itself in Lambda

    def handler(self, program: Program, client: Any, counter: StepCounter) -> Handler:
        return durable(client=client)(_body(program, counter))


class EverstepSync(Everstep):
    client_kind = "sync"

    def handler(self, program: Program, client: Any, counter: StepCounter) -> Handler:
        return durable(client=client)(_plain(program, counter))


class EverstepCold(Everstep):
    def handler(self, program: Program, client: Any, counter: StepCounter) -> Handler:
        return durable(client=client, warm_executions=0)(_body(program, counter))


def _body(program: Program, counter: StepCounter):
    match program:
        case Sequential(steps, None):

            async def sequential(event: dict[str, Any], ctx: DurableContext) -> int:
                total = 0
                for i in range(steps):

                    async def body(i: int = i) -> int:
                        counter.tick()
                        return i

                    total += await ctx.step(body, name=f"step-{i}")
                return total

            return sequential
        case Sequential(steps, payload):

            async def large(event: dict[str, Any], ctx: DurableContext) -> int:
                total = 0
                for i in range(steps):

                    async def body() -> list[Any]:
                        counter.tick()
                        return payload

                    total += len(await ctx.step(body, name=f"step-{i}"))
                return total

            return large
        case FanOut(items, max_concurrency):

            async def item(ctx: DurableContext, value: int) -> int:
                async def body() -> int:
                    counter.tick()
                    return value

                return await ctx.step(body, name="work")

            async def fan_out(event: dict[str, Any], ctx: DurableContext) -> int:
                result = await ctx.map(range(items), item, name="fan", max_concurrency=max_concurrency)
                return sum(result.get_results())

            return fan_out
        case Branches(branches, steps):

            async def branch(ctx: DurableContext) -> int:
                total = 0
                for i in range(steps):

                    async def body(i: int = i) -> int:
                        counter.tick()
                        return i

                    total += await ctx.step(body, name=f"step-{i}")
                return total

            async def parallel(event: dict[str, Any], ctx: DurableContext) -> int:
                return sum((await ctx.parallel([branch] * branches, name="par")).get_results())

            return parallel
        case Waits(waits):

            async def waiting(event: dict[str, Any], ctx: DurableContext) -> int:
                for i in range(waits):
                    await ctx.wait(1, name=f"wait-{i}")
                return waits

            return waiting
    raise TypeError(program)


def _plain(program: Program, counter: StepCounter):
    match program:
        case Sequential(steps, payload):

            def sequential(event: dict[str, Any], ctx: SyncContext) -> int:
                total = 0
                for i in range(steps):

                    def body(i: int = i) -> Any:
                        counter.tick()
                        return i if payload is None else payload

                    value = ctx.step(body, name=f"step-{i}")
                    total += value if payload is None else len(value)
                return total

            return sequential
        case FanOut(items, max_concurrency):

            def item(ctx: SyncContext, value: int) -> int:
                def body() -> int:
                    counter.tick()
                    return value

                return ctx.step(body, name="work")

            def fan_out(event: dict[str, Any], ctx: SyncContext) -> int:
                return sum(ctx.map(range(items), item, name="fan", max_concurrency=max_concurrency).get_results())

            return fan_out
        case Branches(branches, steps):

            def branch(ctx: SyncContext) -> int:
                total = 0
                for i in range(steps):

                    def body(i: int = i) -> int:
                        counter.tick()
                        return i

                    total += ctx.step(body, name=f"step-{i}")
                return total

            def parallel(event: dict[str, Any], ctx: SyncContext) -> int:
                return sum(ctx.parallel([branch] * branches, name="par").get_results())

            return parallel
        case Waits(waits):

            def waiting(event: dict[str, Any], ctx: SyncContext) -> int:
                for i in range(waits):
                    ctx.wait(1, name=f"wait-{i}")
                return waits

            return waiting
    raise TypeError(program)
