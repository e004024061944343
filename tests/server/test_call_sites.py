"""Where operations are called, as the server tells it: of handlers in its process and in processes of their own."""

from __future__ import annotations

import importlib
import json
import os
import sys
import textwrap
from collections.abc import Generator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.server.running import Running, declared, running, text_of, until

MAIN = """
    from everstep import DurableContext, durable
    from shop_helpers import pack

    async def charge(amount): return amount
    async def twice(): ...

    @durable
    async def shop(event, ctx: DurableContext):
        await ctx.step(charge, 3)
        await pack(ctx)
        await ctx.step(twice)
        await ctx.step(twice)
        await ctx.wait_for_callback(lambda callback: None, name="approval")
"""
HELPERS = """
    from everstep import DurableContext

    async def weigh(): return 1

    async def pack(ctx: DurableContext):
        return await ctx.step(weigh)
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """The program's directory, on the import path."""
    for name, text in (("shop_main", MAIN), ("shop_helpers", HELPERS)):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    yield tmp_path
    for name in ("shop_main", "shop_helpers"):
        sys.modules.pop(name, None)


def begun(server: Running) -> str:
    """An execution that waits for its approval."""
    arn = text_of(server.client.invoke(FunctionName="shop:$LATEST", InvocationType="Event"), "DurableExecutionArn")
    until(lambda: "approval" in server.request("GET", f"/2025-12-01/durable-executions/{quote(arn)}/history")[2].decode(), "the approval")
    return arn


def sites(server: Running, arn: str) -> dict[str, tuple[str, str]]:
    """Of names: the place, and the line there."""
    status, _, body = server.request("GET", f"/everstep/2026-11-01/durable-executions/{quote(arn)}/call-sites")
    assert status == 200, body
    found = json.loads(body)["CallSites"]
    return {one.get("Name", ""): (f"{one['File']}:{one['Line']}", one["Source"].splitlines()[1].strip()) for one in found}


@pytest.mark.parametrize("is_in_process", [True, False])
def test_operations_are_found_in_the_handlers_code_and_in_what_it_imports(shop: Path, is_in_process: bool) -> None:
    config, target = {"ExecutionTimeout": 60}, "shop_main:shop"
    function = declared("shop", config=config, handler=target) if is_in_process else declared("shop", config=config, process=target)
    with running([function]) as server:
        assert sites(server, begun(server)) == {
            "charge": ("shop_main.py:10", "await ctx.step(charge, 3)"),
            "weigh": ("shop_helpers.py:7", "return await ctx.step(weigh)"),
            "approval": ("shop_main.py:14", 'await ctx.wait_for_callback(lambda callback: None, name="approval")'),
        }


def test_nothing_is_said_of_code_that_has_changed_since(shop: Path) -> None:
    with running([declared("shop", handler="shop_main:shop")]) as server:
        arn = begun(server)
        helpers = shop / "shop_helpers.py"
        helpers.write_text(f"# changed\n{helpers.read_text()}")
        os.utime(helpers, (2**32, 2**32))

        assert sites(server, arn) == {}


def test_nothing_is_said_of_a_function_that_is_gone(shop: Path) -> None:
    with running([declared("shop", handler="shop_main:shop")]) as server:
        arn = begun(server)
        server.client.delete_function(FunctionName="shop")

        assert sites(server, arn) == {}
