"""EVS020: loops that never end."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Final

from everstep.lint.program import Program
from everstep.lint.rule import Report, Rule, reached
from everstep.lint.scopes import FunctionNode


def check(program: Program) -> Iterator[Report]:
    for node, function, handling in program.code():
        if function not in program.durable:
            continue  # a task may be cancelled, and who calls a function may catch what ends it
        match node:
            case ast.While(test=ast.Constant(value=value), body=body) if value:
                pass
            case ast.For(iter=ast.Call(func=func), body=body) if program.module.qualified(func) in ("itertools.count", "itertools.cycle"):
                pass
            case _:
                continue
        if _runs_operations(program, body, function) and not _ends(body) and not _is_in_a_block(program, node):
            context = program.context_name(function)
            await_ = "await " if handling.kind.is_awaited else ""
            instead = (
                f"end after some rounds with `{await_}{context}.recurse(…)`, which goes on in a new execution, or use `wait_for_condition`"
                if handling.kind.dialect.has_substitutes
                else "end after some rounds and start a new execution, or use `wait_for_condition`"
            )
            yield Report(
                node,
                f"a loop that never ends makes operations in each round; an execution has 3,000 at most, and every replay goes through all "
                f"of them: {instead}{reached(handling)}",
            )


def _is_in_a_block(program: Program, node: ast.AST) -> bool:
    """Whether something around the loop may end it: a timeout, or an `except` of what it raises."""
    return any(isinstance(outer, ast.With | ast.AsyncWith | ast.Try | ast.TryStar) for outer in program.module.ancestors(node))


def _runs_operations(program: Program, body: Sequence[ast.stmt], function: FunctionNode) -> bool:
    return any(isinstance(part, ast.Call) and program.runs_operations(part) for part in program.module.run_by(function, body))


def _ends(body: Sequence[ast.stmt]) -> bool:
    """Whether something in the body leaves the loop, by itself."""
    todo: list[tuple[ast.AST, bool]] = [(statement, True) for statement in body]
    while todo:
        node, is_of_this_loop = todo.pop()
        match node:
            case ast.Return() | ast.Raise() | ast.Yield() | ast.YieldFrom():
                return True
            case ast.Break() if is_of_this_loop:
                return True
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda() | ast.ClassDef():
                continue
            case ast.For() | ast.AsyncFor() | ast.While():
                is_of_this_loop = False
            case _:
                pass
        todo += [(child, is_of_this_loop) for child in ast.iter_child_nodes(node)]
    return False


RULE: Final = Rule("EVS020", "endless", "a loop that never ends makes operations", check)
