"""EVS018: what must pass is caught."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Final

from everstep.lint.program import Program
from everstep.lint.rule import Report, Rule, reached
from everstep.lint.scopes import FunctionNode

_EXITS: Final = frozenset({"builtins.exit", "builtins.quit", "os._exit", "os.abort", "sys.exit"})
_EVERYTHING: Final = frozenset({"builtins.BaseException", "builtins.GeneratorExit"})


def check(program: Program) -> Iterator[Report]:
    for node, function, handling in program.code():
        match node:
            case ast.Try() | ast.TryStar():
                if not _waits(program, node.body, function):
                    continue
                for handler in node.handlers:
                    if _catches_everything(program, handler.type) and not _passes_on(program, handler, function):
                        caught = "every exception" if handler.type is None else "BaseException"
                        yield Report(handler, _says(f"`except` catches {caught}", "catch Exception, or raise again") + reached(handling))
                for statement in _leaving(program, node.finalbody, function):
                    yield Report(
                        statement, _says("leaving a `finally` block swallows what is raised", "leave after it") + reached(handling)
                    )
            case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
                for item in items:
                    call = item.context_expr
                    if (
                        isinstance(call, ast.Call)
                        and program.module.qualified(call.func) == "contextlib.suppress"
                        and any(_catches_everything(program, kind) for kind in call.args)
                        and _waits(program, body, function)
                    ):
                        yield Report(call, _says("suppress() swallows BaseException", "suppress Exception") + reached(handling))
            case _:
                pass


def _says(what: str, instead: str) -> str:
    return f"{what} around operations; the end of a suspended or cancelled execution comes that way and must pass: {instead}"


def _catches_everything(program: Program, kind: ast.expr | None) -> bool:
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(one is None or program.module.qualified(one) in _EVERYTHING for one in kinds)


def _waits(program: Program, body: Sequence[ast.stmt], function: FunctionNode) -> bool:
    return any(
        isinstance(part, ast.Await | ast.AsyncFor | ast.AsyncWith) or (isinstance(part, ast.Call) and program.runs_operations(part))
        for part in program.module.run_by(function, body)
    )


def _passes_on(program: Program, handler: ast.ExceptHandler, function: FunctionNode) -> bool:
    return any(
        isinstance(part, ast.Raise) or _names(part, handler.name) or (isinstance(part, ast.Call) and _exits(program, part))
        for part in program.module.run_by(function, handler.body)
    )


def _exits(program: Program, call: ast.Call) -> bool:
    return program.module.qualified(call.func) in _EXITS


def _names(part: ast.AST, caught: str | None) -> bool:
    """What is caught may be kept and raised elsewhere: `outcome.fail(error)`."""
    return caught is not None and isinstance(part, ast.Name) and part.id == caught


def _leaving(program: Program, body: Sequence[ast.stmt], function: FunctionNode) -> Iterator[ast.stmt]:
    return (part for part in program.module.run_by(function, body) if isinstance(part, ast.Return))


RULE: Final = Rule("EVS018", "swallowed", "everything is caught around operations, cancellation too", check)
