"""EVS019: a callback's id that is handed out by handler code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from everstep.lint.forbidden import in_argument_of_operation
from everstep.lint.program import Program
from everstep.lint.rule import Report, Rule, reached
from everstep.lint.scopes import Binding, Kind

_LOGS: Final = frozenset({"critical", "debug", "error", "exception", "info", "log", "warn", "warning"})


def check(program: Program) -> Iterator[Report]:
    for node, function, handling in program.code():
        if not isinstance(node, ast.Expr):
            continue
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        if (
            not isinstance(call, ast.Call)
            or program.runs_operations(call)
            or program.functions.called(call)
            or _keeps_or_logs(program, call)
        ):
            continue
        for part in program.module.run_by(function, [call]):
            if not isinstance(part, ast.Attribute) or part.attr != "callback_id" or in_argument_of_operation(program, part, function):
                continue
            if _is_callback(program, part.value):
                yield Report(
                    call,
                    f"the id of a callback is handed out by handler code; every replay hands it out again: do it in a step, or use "
                    f"`wait_for_callback`, whose submitter is one{reached(handling)}",
                )
                break


def _keeps_or_logs(program: Program, call: ast.Call) -> bool:
    """Logging is known to happen again; a method of a local value may only keep the id; checks of types do nothing."""
    name = program.module.qualified(call.func)
    if name is None or name.partition(".")[0] in ("builtins", "logging", "typing", "typing_extensions"):
        return True
    return isinstance(call.func, ast.Attribute) and call.func.attr in _LOGS


def _is_callback(program: Program, node: ast.expr) -> bool:
    match program.module.binding(node):
        case Binding(kind=Kind.ASSIGNED, value=value):
            made = value.value if isinstance(value, ast.Await) else value
            operation = program.operations.get(made) if isinstance(made, ast.Call) else None
            return operation is not None and operation.method == "create_callback"
        case _:
            return False


RULE: Final = Rule("EVS019", "callback-id", "the id of a callback is handed out outside a step", check)
