"""Whatever stands in a file, the linter says something of it or nothing, and never fails."""

from __future__ import annotations

import ast
import os
import random
import sysconfig
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from everstep.lint.check import check
from everstep.lint.findings import Finding

HANDLER: Final = "from everstep import DurableContext, durable\nimport time\n"
LIBRARY: Final = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
TREES: Final = Path(__file__).parents[2]


def test_a_file_that_is_no_python_is_a_finding() -> None:
    (one,) = check("from everstep import durable\ndef order(:\n", "orders.py")

    assert (one.rule_id, one.line) == ("EVS000", 2)
    assert "can't be read as Python" in one.message


@pytest.mark.parametrize(
    "source",
    [
        b"\xff\xfe everstep",
        b"# coding: nonsense\neverstep = 1\n",
        b"everstep = '\0'\n",
        b"everstep = " + b"(" * 5000,
        b"# coding: ascii\n\xe9 = 1",
    ],
)
def test_a_file_that_can_not_be_read_is_a_finding(source: bytes) -> None:
    assert [one.rule_id for one in check(source, "orders.py")] == ["EVS000"]


def test_a_file_is_read_in_the_encoding_that_it_claims() -> None:
    source = "# coding: latin-1\n" + HANDLER + "@durable\nasync def order(é: str, ctx: DurableContext):\n    ü = é + str(time.time())\n"

    (one,) = check(source.encode("latin-1"), "orders.py")

    assert one.excerpt[one.column - 1 : one.end_column - 1] == "time.time()"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_they_end(end: str) -> None:
    source = HANDLER + "@durable\nasync def order(event, ctx):\n    return time.time()\n"

    (one,) = check(source.replace("\n", end).encode(), "orders.py")

    assert (one.line, one.column) == (5, 12)


def test_a_byte_order_mark_is_no_matter() -> None:
    assert check(b"\xef\xbb\xbf" + HANDLER.encode(), "orders.py") == []


def test_code_that_is_nested_deeply_is_read() -> None:
    long = " + ".join(["'a'"] * 900)
    source = f"{HANDLER}@durable\nasync def order(event, ctx):\n    return time.time(), {long}\n"

    assert [one.rule_id for one in check(source, "orders.py")] == ["EVS001"]


def test_names_that_stand_for_themselves_end() -> None:
    source = HANDLER + (
        "a = b\nb = a\nf = f()\nlist_ = [*list_]\n"
        "@durable\nasync def order(event, ctx):\n"
        "    await ctx.step(f)\n    await ctx.step(a)\n    await ctx.parallel(list_)\n"
        "    for x in list_: await ctx.step(x)\n"
    )

    assert check(source, "orders.py") == []


class _Mixed(ast.NodeTransformer):
    """Makes handler code of any code: every function becomes a handler, and names become those of operations and clocks."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def _handler(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        self.generic_visit(node)
        if self._random.random() < 0.3:
            node.decorator_list = [ast.Name("durable", ast.Load())]
        if node.args.args and self._random.random() < 0.5:
            node.args.args[-1].annotation = ast.Name("DurableContext", ast.Load())
            node.args.args[-1].arg = "ctx"
        return node

    visit_FunctionDef = _handler  # noqa: N815  # the name that ast asks for
    visit_AsyncFunctionDef = _handler  # noqa: N815

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        operations = ("step", "map", "parallel", "run_in_child_context", "wait", "create_callback", "saga", "with_retry", "callback_id")
        if self._random.random() < 0.5:
            return ast.Attribute(ast.Name("ctx", ast.Load()), self._random.choice(operations), node.ctx)
        return node


@pytest.mark.parametrize("path", LIBRARY[::8], ids=lambda path: path.stem)
def test_no_code_makes_it_fail(path: Path) -> None:
    """The library's own files, turned into handlers."""
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError:
        pytest.skip("made to be no Python")
    source = HANDLER + ast.unparse(_Mixed(len(path.stem)).visit(tree))

    found = check(source, str(path))

    assert all(isinstance(one, Finding) and one.rule_id != "EVS000" for one in found)


@given(st.text())
@settings(max_examples=200)
def test_no_text_makes_it_fail(text: str) -> None:
    assert all(one.path == "a.py" for one in check(f"everstep = 1\n{text}", "a.py"))


@given(st.binary())
@settings(max_examples=200)
def test_no_bytes_make_it_fail(source: bytes) -> None:
    assert all(one.path == "a.py" for one in check(b"# everstep\n" + source, "a.py"))


@pytest.mark.parametrize("place", ["examples", "bench", "tests/conformance"])
def test_our_own_handlers_have_no_findings(place: str) -> None:
    paths = sorted((TREES / place).rglob("*.py"))

    found = [one for path in paths for one in check(path.read_bytes(), os.fspath(path))]

    assert paths
    assert found == []
