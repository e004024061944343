"""What is handler code and what is not: shown by a clock that is read in it."""

from __future__ import annotations

import textwrap

import pytest

from everstep.lint.check import check


def found(source: str) -> list[tuple[int, str]]:
    """(line of the source, rule)"""
    return [(one.line, one.rule_id) for one in check(textwrap.dedent(source).lstrip("\n"), "orders.py")]


BODY = """
async def order(event, ctx):
    return time.time()
"""


@pytest.mark.parametrize(
    "before",
    [
        "import time\nfrom everstep import durable\n@durable",
        "import time\nfrom everstep import durable as d\n@d",
        "import time\nimport everstep\n@everstep.durable",
        "import time\nimport everstep as e\n@e.durable(name='x')",
        "import time\nfrom everstep import durable\n@durable(warm_executions=0)",
        "import time\nfrom everstep import durable\nmine = durable(warm_executions=0)\n@mine",
        "import time\nfrom everstep.handler import durable\n@durable",
        "import time\nfrom aws_durable_execution_sdk_python import durable_execution\n@durable_execution",
        "import time\nfrom aws_durable_execution_sdk_python.execution import durable_execution as d\n@d",
        "try:\n    import time\nexcept ImportError:\n    import time\nfrom everstep import durable\n@durable",
        "import time\ntry:\n    from everstep import durable\nexcept ImportError:\n    def durable(f): return f\n@durable",
    ],
)
def test_handlers_are_found_however_they_are_decorated(before: str) -> None:
    assert [rule for _, rule in found(before + BODY)] == ["EVS001"]


@pytest.mark.parametrize(
    "after",
    [
        "handler = everstep.durable(order)",
        "handler = everstep.durable(name='order')(order)",
        "handler = everstep.DurableHandler(order, warm_executions=0)",
    ],
)
def test_handlers_are_found_where_they_are_wrapped_later(after: str) -> None:
    assert [rule for _, rule in found(f"import everstep, time\n{BODY}\n{after}\n")] == ["EVS001"]


@pytest.mark.parametrize(
    "annotation",
    [
        "DurableContext",
        "'DurableContext'",
        "DurableContext | None",
        "Optional[DurableContext]",
        "Annotated[DurableContext, 'of the parent']",
        "everstep.DurableContext",
        "'everstep.SyncContext'",
        "Mine",
    ],
)
def test_a_function_with_a_context_is_handler_code(annotation: str) -> None:
    before = (
        "import time, everstep\nfrom typing import Annotated, Optional\nfrom everstep import DurableContext\nMine = DurableContext\n"
        f"async def order(x, *, c: {annotation}):\n    return time.time()\n"
    )

    assert found(before) == [(6, "EVS001")]


@pytest.mark.parametrize(
    "source",
    [
        "import time\nfrom shop import durable\n@durable" + BODY,
        "import time\nfrom everstep import durable\ndef durable(f): return f\n@durable" + BODY,
        "from time import time\nfrom everstep import durable\ntime = time()\n@durable" + BODY,
        "import time\nfrom everstep import durable\n" + BODY,
        "from everstep import durable\nfrom shop import time\n@durable" + BODY,
        "import time\nfrom everstep import durable\n@durable\nasync def order(time, ctx):\n    return time.time()\n",
        "import time\nfrom everstep import durable\n@durable\nasync def order(event, ctx):\n    time = event\n    return time.time()\n",
        "import time\nfrom everstep import DurableContext\ndef runs(body: 'Callable[[DurableContext], int]'):\n    return time.time()\n",
    ],
)
def test_what_only_looks_like_it_is_none(source: str) -> None:
    assert found(source) == []


def test_helpers_are_followed_through_the_module() -> None:
    source = """
        import time
        from everstep import durable

        @durable
        async def order(event, ctx):
            return first()

        def first():
            return sorted([1], key=lambda x: second(x))

        def second(x):
            return time.time()

        def not_called():
            return time.time()
    """

    assert found(source) == [(12, "EVS001")]
    assert "`order` calls `first`, which calls `second`" in check(textwrap.dedent(source), "orders.py")[0].message


def test_methods_are_followed_through_their_class() -> None:
    source = """
        import time
        from everstep import DurableContext

        class Orders:
            async def run(self, ctx: DurableContext):
                self.look(ctx)
                await ctx.step(self.stamp)

            def look(self, context):
                context.step(self.stamp)
                return time.time()

            def stamp(self):
                return time.time()
    """

    assert found(source) == [(10, "EVS017"), (11, "EVS001")]


def test_functions_under_decorators_that_are_not_known_are_not_followed() -> None:
    source = """
        import time
        from everstep import durable
        from shop import activity

        @activity
        def stamp():
            return time.time()

        @durable
        async def order(event, ctx):
            return stamp()
    """

    assert found(source) == []


@pytest.mark.parametrize(
    "use",
    [
        "await ctx.step(stamp)",
        "await ctx.step(body=stamp)",
        "await ctx.step(lambda: stamp())",
        "await ctx.step(functools.partial(stamp))",
        "await ctx.step(made())",
        "await ctx.wait_for_callback(stamp)",
        "await ctx.wait_for_condition(stamp, 1, poll=p)",
        "await asyncio.gather(*(ctx.step(stamp) for _ in event))",
    ],
)
def test_bodies_of_steps_may_do_anything(use: str) -> None:
    source = f"""
        import asyncio, functools, time
        from everstep import durable

        def stamp():
            return time.time()

        def made():
            def body():
                return time.time()
            return body

        @durable
        async def order(event, ctx):
            {use}
    """

    assert found(source) == []


def test_compensations_of_a_saga_are_steps() -> None:
    source = """
        import time
        from everstep import durable

        @durable
        async def order(event, ctx):
            async with ctx.saga() as saga:
                saga.compensate(lambda: ctx.wait(1))
                saga.cleanup(lambda: time.time())
    """

    assert found(source) == [(7, "EVS014")]


@pytest.mark.parametrize(
    "use",
    [
        "await ctx.run_in_child_context(body)",
        "await ctx.map(event, body)",
        "await ctx.map(event, body=body)",
        "await ctx.map_batches(event, body)",
        "await ctx.with_retry(body)",
        "await ctx.parallel([body])",
        "await ctx.parallel((body, body))",
        "await ctx.parallel({'a': body})",
        "await ctx.parallel([Branch(body, 'a')])",
        "await ctx.parallel([lambda child: body(child) for _ in event])",
        "branches = [body]\n            await ctx.parallel(branches)",
        "await ctx.run_in_child_context(partial(body))",
        "await ctx.run_in_child_context(body if event else body)",
        "await asyncio.create_task(body(ctx))",
        "await asyncio.gather(*(body(ctx) for _ in event))",
    ],
)
def test_bodies_of_children_are_handler_code(use: str) -> None:
    source = f"""
        import asyncio, time
        from functools import partial
        from everstep import Branch, durable

        async def body(child, *rest):
            return await child.step(print, time.time())

        @durable
        async def order(event, ctx):
            {use}
    """

    assert found(source) == [(6, "EVS001")]


def test_bodies_that_a_function_makes_are_handler_code() -> None:
    source = """
        import time
        from everstep import durable

        def branch(name):
            async def body(child):
                return time.time()
            return body

        @durable
        async def order(event, ctx):
            await ctx.parallel([branch("a"), branch("b")])
    """

    assert found(source) == [(6, "EVS001")]


def test_the_official_sdk_is_understood() -> None:
    source = """
        import time
        from aws_durable_execution_sdk_python import (
            DurableContext, StepContext, durable_execution, durable_step, durable_with_child_context, with_retry
        )

        @durable_step
        def charge(step: StepContext, card: str) -> float:
            return time.time()

        @durable_with_child_context
        def ship(child: DurableContext, item: str) -> float:
            child.wait(1)
            return time.time()

        @durable_execution
        def handler(event: dict, context: DurableContext) -> float:
            context.step(charge(event["card"]))
            context.step(lambda _: time.time(), name="stamp")
            context.run_in_child_context(ship("lamp"))
            context.map([1], lambda c, item, index, items: c.step(lambda _: context.wait(1)))
            with_retry(context, lambda c, attempt: time.time(), None)
            context.parallel([lambda c: context.step(charge("x"))])
            time.sleep(1)
            return time.monotonic()
    """

    assert found(source) == [(13, "EVS001"), (20, "EVS014"), (21, "EVS001"), (22, "EVS016"), (23, "EVS008"), (24, "EVS001")]


def test_messages_for_the_official_sdk_name_no_helper_that_it_has_not() -> None:
    source = "import time\nfrom aws_durable_execution_sdk_python import durable_execution\n@durable_execution" + BODY

    (one,) = check(source, "orders.py")

    assert "now()" not in one.message
    assert "in a step" in one.message


def test_messages_call_the_context_what_the_handler_calls_it() -> None:
    source = "import time\nfrom everstep import durable\n@durable\nasync def order(event, workflow):\n    return time.time()\n"

    assert "`workflow.now()`" in check(source, "orders.py")[0].message
