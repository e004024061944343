"""Our own examples, spoiled: a clock that is put into their handler code is found."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

from everstep.lint.check import check

EXAMPLES: Final = sorted((Path(__file__).parents[2] / "examples").rglob("*.py"))


class Spoiled(ast.NodeTransformer):
    """Reads the clock at the beginning of every function that has a context."""

    def __init__(self) -> None:
        self.count = 0

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        self.generic_visit(node)
        if any(one.annotation is not None and "Context" in ast.unparse(one.annotation) for one in node.args.args):
            self.count += 1
            node.body = [*ast.parse("import time\ntime.time()").body, *node.body]
        return node

    visit_FunctionDef = _function  # noqa: N815  # the name that ast asks for
    visit_AsyncFunctionDef = _function  # noqa: N815


def test_a_clock_in_handler_code_is_found_wherever_it_stands() -> None:
    in_all = 0
    for path in EXAMPLES:
        spoiled = Spoiled()
        source = ast.unparse(spoiled.visit(ast.parse(path.read_text())))

        found = [one for one in check(source, str(path)) if one.rule_id == "EVS001"]

        assert len(found) == spoiled.count, path
        in_all += spoiled.count
    assert in_all > 100
