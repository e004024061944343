"""Names of operations to lines of the source that calls them."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest

from everstep.lint.call_sites import call_sites, imports, the_site

SOURCE = dedent(
    """
    from everstep import DurableContext, durable
    from shop.payments import charge, refund as give_back

    async def pack(ctx: DurableContext, item):
        await ctx.step(weigh, item)

    async def weigh(item): ...
    def traced(body): return body
    @traced
    async def hidden(): ...

    @durable
    async def order(event, ctx):
        await ctx.step(charge, event)
        await ctx.step(lambda: 1)
        await ctx.step(hidden)
        await ctx.wait(60, name="cool-off")
        await ctx.wait(60)
        await ctx.map(event, pack)
        await ctx.step(charge, name=f"line-{event}")
        await ctx.wait_for_callback(lambda id: None, name="approval")
        async with ctx.saga() as saga:
            saga.compensate(give_back, event)

    @durable
    async def other(event, ctx):
        await ctx.step(charge, event)
        await ctx.step(twice)
        await ctx.step(twice)
    """
)


def line_of(text: str) -> int:
    return SOURCE[: SOURCE.index(text)].count("\n") + 1


@pytest.mark.parametrize(
    ("sub_type", "name", "text"),
    [
        ("Step", "charge", "ctx.step(charge, event)"),
        ("Step", "weigh", "ctx.step(weigh"),
        ("Wait", "cool-off", "ctx.wait(60, name"),
        ("Wait", None, "ctx.wait(60)\n"),
        ("Map", "pack", "ctx.map"),
        ("WaitForCallback", "approval", "ctx.wait_for_callback"),
        ("Step", None, "ctx.step(lambda"),
        ("Step", "refund", "saga.compensate"),
    ],
)
def test_an_operation_is_found_where_the_handler_calls_it(sub_type: str, name: str | None, text: str) -> None:
    source = SOURCE.replace("    await ctx.step(hidden)\n", "    \n")  # its name could be anything

    site = the_site(call_sites(ast.parse(source), "shop.py", "order"), sub_type, name)

    assert site is not None
    assert (site.file, site.line) == ("shop.py", line_of(text))


@pytest.mark.parametrize(
    ("sub_type", "name"), [("Step", "twice"), ("Step", "charge"), ("Step", "unknown"), ("Wait", "timer"), ("Callback", None)]
)
def test_nothing_is_said_of_what_more_places_may_record_or_none(sub_type: str, name: str) -> None:
    assert the_site(call_sites(ast.parse(SOURCE), "shop.py"), sub_type, name) is None


def test_a_name_that_is_made_is_a_pattern() -> None:
    source = SOURCE.replace("    await ctx.step(hidden)\n", "    \n")
    sites = call_sites(ast.parse(source), "shop.py", "order")

    assert the_site(sites, "Step", "line-7") == the_site(sites, "Step", "line-")
    found = the_site(sites, "Step", "line-7")
    assert found is not None
    assert found.line == line_of('name=f"line-')


def test_a_place_whose_name_may_be_anything_is_never_the_answer_and_hides_the_others() -> None:
    sites = call_sites(ast.parse(SOURCE), "shop.py", "order")

    assert the_site(sites, "Step", "hidden") is None
    assert the_site(sites, "Step", "charge") is None
    assert the_site(sites, "Map", "pack") is not None


def test_what_only_looks_like_an_operation_makes_a_name_uncertain() -> None:
    source = SOURCE + "\nclass Helper:\n    async def run(self):\n        await self.ctx.map([], pack)\n"

    assert the_site(call_sites(ast.parse(source), "shop.py", "order"), "Map", "pack") is None


def test_imports_are_dotted_names_also_relative_ones() -> None:
    tree = ast.parse("import a.b\nfrom c import d\nfrom . import e\nfrom ..f import g")

    assert imports(tree, "shop.orders.main") == ["a.b", "c", "c.d", "shop.orders", "shop.orders.e", "shop.f", "shop.f.g"]
