"""EVS017: operations that nobody awaits."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from everstep.lint.functions import name_of
from everstep.lint.program import Program
from everstep.lint.rule import Report, Rule, reached
from everstep.lint.scopes import FunctionNode

_OF_COROUTINES: Final = frozenset({"close", "cr_await", "cr_code", "cr_frame", "cr_origin", "cr_running", "send", "throw"})


def check(program: Program) -> Iterator[Report]:
    for call, function, handling in program.calls():
        operation = program.operations.get(call)
        if operation is not None:
            what, gives = f"`{operation.written}`", operation.kind.is_awaited
        else:
            called = program.functions.called(call)
            gives = program.functions.gives_coroutine(call) and all(one in program.operating for one in called)
            what = f"`{name_of(called[0])}`" if called else ""
        if gives and (how := _misused(program, call, function)) is not None:
            yield Report(
                call,
                f"{what} is called and {how}; what it was to do is not done, and the execution fails: write `await`{reached(handling)}",
            )


def _misused(program: Program, call: ast.Call, function: FunctionNode) -> str | None:
    """How the coroutine is lost or taken for its result; None if it may well be awaited."""
    match program.module.parent_of.get(call):
        case ast.Expr():
            return "never awaited"
        case ast.Assign(targets=[ast.Name() as name], value=value) if value is call and _is_never_read(program, name):
            return f"assigned to `{name.id}`, which is never used"
        case ast.AnnAssign(target=ast.Name() as name, value=value) if value is call and _is_never_read(program, name):
            return f"assigned to `{name.id}`, which is never used"
        case ast.Compare() | ast.BinOp() | ast.UnaryOp() | ast.FormattedValue():
            return "its coroutine is taken for its result"
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) | ast.Assert(test=test) if test is call:
            return "its coroutine is taken for its result"
        case ast.Subscript(value=value) if value is call:
            return "its coroutine is taken for its result"
        case ast.Attribute(attr=attr) if attr not in _OF_COROUTINES:
            return "its coroutine is taken for its result"
        case ast.Return() if function in program.durable and isinstance(function, ast.AsyncFunctionDef):
            return "returned without being awaited"
        case _:
            return None


def _is_never_read(program: Program, name: ast.Name) -> bool:
    scope = program.module.scope_of[name]
    if name.id in scope.elsewhere or not isinstance(scope.node, FunctionNode):
        return False
    return not any(
        isinstance(node, ast.Name) and node.id == name.id and not isinstance(node.ctx, ast.Store) for node in ast.walk(scope.node)
    )


RULE: Final = Rule("EVS017", "not-awaited", "an operation is called and not awaited", check)
