"""EVS012: `asyncio.as_completed` over coroutines."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from everstep.lint.functions import argument
from everstep.lint.program import Program
from everstep.lint.rule import Report, Rule, reached


def check(program: Program) -> Iterator[Report]:
    for call, _, handling in program.calls():
        if not handling.kind.is_awaited or program.module.qualified(call.func) != "asyncio.as_completed":
            continue
        given = argument(call, 0, "fs")
        if given is not None and _has_coroutines(program, given):
            yield Report(
                call,
                "asyncio.as_completed() takes coroutines in the order of their addresses, another on every replay, and is refused: "
                f"write `everstep.as_completed(…)`, which keeps the order given{reached(handling)}",
            )


def _has_coroutines(program: Program, node: ast.expr) -> bool:
    match program.module.value(node):
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            given = elements
        case ast.ListComp(elt=element) | ast.GeneratorExp(elt=element) | ast.SetComp(elt=element):
            given = [element]
        case _:
            return False
    return any(isinstance(one, ast.Call) and (one in program.operations or program.functions.gives_coroutine(one)) for one in given)


RULE: Final = Rule("EVS012", "as-completed", "asyncio.as_completed is given coroutines", check)
