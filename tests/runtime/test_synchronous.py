"""Handlers that are plain functions: the same engine, the same records, no threads."""

from __future__ import annotations

import threading
from contextvars import ContextVar
from dataclasses import dataclass

import pytest

from everstep import Completion, DurableContext, Poll, Retry, StepError, SyncContext, UsageError, durable
from tests.support.handlers import replay_with, run_handler, succeeded
from tests.test_lambda import Lambda


@dataclass
class Paid:
    amount: int


async def pay(amount: int) -> Paid:
    return Paid(amount)


def double(number: int) -> int:
    return number * 2


def fails() -> None:
    raise ValueError("no")


@pytest.mark.parametrize("warm", [True, False])
def test_every_operation_works_without_await(warm: bool) -> None:
    def item(ctx: SyncContext, number: int) -> int:
        ctx.wait(number + 1)
        return ctx.step(double, number)

    def child(ctx: SyncContext, start: int) -> int:
        return start + ctx.step(double, 4)

    def branch(ctx: SyncContext) -> str:
        return ctx.step(lambda: "branch")

    def submit(callback_id: str) -> None: ...

    def handler(event: object, ctx: SyncContext) -> list[object]:
        paid = ctx.step(pay, 5)
        assert isinstance(paid, Paid)
        with pytest.raises(ValueError, match="no") as caught:
            ctx.step(fails, retry=Retry.none())
        assert isinstance(caught.value, StepError)
        mapped = ctx.map(range(3), item, max_concurrency=2, completion=Completion.all_completed())
        callback = ctx.create_callback(name="approval", returns=str)
        return [
            paid.amount,
            mapped.get_results(),
            ctx.run_in_child_context(child, 1),
            ctx.parallel({"a": branch, "b": branch}).get_results(),
            ctx.wait_for_condition(double, 1, poll=Poll.fixed(lambda n: n > 5, 1)),
            callback.result(),
            ctx.wait_for_callback(submit, name="x", returns=int),
            ctx.now().isoformat()[:4],
            str(ctx.uuid4()) != str(ctx.uuid4()),
        ]

    answers = {"approval": (1.0, succeeded("yes")), "x create callback id": (1.0, succeeded(7))}
    ran = run_handler(handler, warm=warm, answers=answers)

    assert ran.result == [5, [0, 2, 4], 9, ["branch", "branch"], 8, "yes", 7, "2023", True]


def test_an_execution_begun_by_an_async_handler_is_finished_by_a_plain_one() -> None:
    async def body(ctx: DurableContext, number: int) -> int:
        return await ctx.step(double, number)

    async def with_await(event: object, ctx: DurableContext) -> list[int]:
        await ctx.wait(1)
        return (await ctx.map([1, 2], body, name="m")).get_results()

    def plain(ctx: SyncContext, number: int) -> int:
        return ctx.step(double, number)

    def without(event: object, ctx: SyncContext) -> list[int]:
        ctx.wait(1)
        return ctx.map([1, 2], plain, name="m").get_results()

    assert replay_with(run_handler(with_await), without)[:2] == ("SUCCEEDED", "[2,4]")
    assert replay_with(run_handler(without), with_await)[:2] == ("SUCCEEDED", "[2,4]")


def test_finally_blocks_of_plain_handlers_do_not_see_a_suspension() -> None:
    seen: list[str] = []

    def handler(event: object, ctx: SyncContext) -> str:
        try:
            ctx.wait(5)
        except Exception:
            seen.append("except")
        finally:
            seen.append("finally")
        return "done"

    assert run_handler(handler, replays=False).result == "done"
    assert seen == ["finally"]


def test_branches_run_without_threads() -> None:
    threads: set[int] = set()

    def branch(ctx: SyncContext) -> None:
        threads.add(threading.get_ident())
        ctx.wait(1)
        threads.add(threading.get_ident())

    def handler(event: object, ctx: SyncContext) -> int:
        return ctx.parallel([branch] * 20).success_count

    assert run_handler(handler, warm=False).result == 20
    assert threads == {threading.get_ident()}


def test_on_lambda_a_plain_step_of_a_sequential_handler_runs_on_the_handlers_thread() -> None:
    threads: set[int] = set()

    def body(number: int) -> int:
        threads.add(threading.get_ident())
        return number

    def handler(event: dict[str, int], ctx: SyncContext) -> int:
        return ctx.step(body, event["n"]) + ctx.step(body, 1)

    service = Lambda()

    assert durable(client=service)(handler)(service.event(), object()) == {"Status": "SUCCEEDED", "Result": "6"}
    assert threads == {threading.get_ident()}
    assert service.calls == [["STEP START", "STEP SUCCEED"]] * 2


def test_an_operation_in_a_plain_step_is_refused() -> None:
    def handler(event: object, ctx: SyncContext) -> None:
        ctx.step(lambda: ctx.wait(1))

    assert run_handler(handler).error[0] == "everstep.errors.UsageError"


def test_a_failing_plain_handler_fails_the_execution() -> None:
    def handler(event: object, ctx: SyncContext) -> None:
        ctx.wait(1)
        raise KeyError("x")

    assert run_handler(handler, warm=False).error == ("KeyError", "'x'")
    assert issubclass(UsageError, Exception)


def test_context_variables_reach_the_bodies_of_steps() -> None:
    tenant = ContextVar("tenant", default="nobody")

    async def in_a_task() -> str:
        return tenant.get()

    def in_a_thread() -> str:
        return tenant.get()

    def item(ctx: SyncContext, number: int) -> list[str]:
        tenant.set(f"branch {number}")
        return [ctx.step(in_a_task), ctx.step(in_a_thread)]

    def handler(event: object, ctx: SyncContext) -> list[object]:
        tenant.set("acme")
        seen: list[object] = [ctx.step(in_a_task), ctx.step(in_a_thread), ctx.map(range(2), item).get_results()]
        return [*seen, tenant.get()]

    assert run_handler(handler).result == ["acme", "acme", [["branch 0"] * 2, ["branch 1"] * 2], "acme"]
