"""EVS013: decisions on what differs between the invocations of one execution."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Final

from everstep.lint.program import Program
from everstep.lint.rule import Report, Rule, reached
from everstep.lint.scopes import FunctionNode

_DIFFER: Final = frozenset({"is_replaying", "lambda_context"})


def check(program: Program) -> Iterator[Report]:
    for node, function, handling in program.code():
        match node:
            case ast.If(test=test, body=body, orelse=orelse):
                branches: Sequence[ast.AST] = [*body, *orelse]
            case ast.While(test=test, body=body):
                branches = body
            case ast.IfExp(test=test, body=then, orelse=otherwise):
                branches = [then, otherwise]
            case _:
                continue
        said = _differing(program, test)
        if said is not None and any(_decides(program, branch, function) for branch in branches):
            yield Report(
                test,
                f"which operations are called depends on {said}, which is another on a replay; the replay asks for operations that are not "
                f"recorded, or skips some that are: decide on the event and on results of operations{reached(handling)}",
            )


def _differing(program: Program, test: ast.expr) -> str | None:
    for part in ast.walk(test):
        one = program.module.value(part) if isinstance(part, ast.Name) else part
        for inside in ast.walk(one):
            if isinstance(inside, ast.Attribute) and inside.attr in _DIFFER and (context := program.context(inside.value)) is not None:
                return f"`{context.name}.{inside.attr}`"
    return None


def _decides(program: Program, branch: ast.AST, function: FunctionNode) -> bool:
    return any(
        isinstance(part, ast.Return | ast.Raise) or (isinstance(part, ast.Call) and program.runs_operations(part))
        for part in program.module.run_by(function, [branch])
    )


RULE: Final = Rule("EVS013", "invocation", "a decision is taken on what differs between invocations", check)
