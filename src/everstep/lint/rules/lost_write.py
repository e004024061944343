"""EVS015: variables that a body writes and others read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from everstep.lint.mutation import changes
from everstep.lint.program import Operation, Program
from everstep.lint.rule import Report, Rule
from everstep.lint.scopes import Binding, FunctionNode


def check(program: Program) -> Iterator[Report]:
    bodies: dict[FunctionNode, Operation | None] = {**program.steps, **program.children}
    for body, operation in bodies.items():
        if operation is not None and not _runs_again(operation):
            inside = set(program.within(body))
            for node, name in _writes(program, inside):
                if _is_read_elsewhere(program, name, inside):
                    yield Report(
                        node,
                        f"the body of `{operation.written}` changes `{name.id}`, which is read outside; a replay takes the recorded result "
                        f"and does not run the body, so `{name.id}` stays as it was: return the value, and use what "
                        f"`{operation.written}` gives",
                    )


def _runs_again(operation: Operation) -> bool:
    """A child context that is not recorded runs on every replay."""
    return any(
        keyword.arg == "virtual" and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
        for keyword in operation.node.keywords
    )


def _writes(program: Program, inside: set[FunctionNode]) -> Iterator[tuple[ast.expr | ast.stmt, ast.Name]]:
    """Changes of variables that belong to handler code around the body."""
    module = program.module
    for function in inside:
        own = module.own[function]
        assigned = [(node, node) for node in own if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del)]
        for node, name in (*changes(module, own), *assigned):
            if any(one.scope.node not in inside and one.scope.node in program.handlers for one in _found(program, name)):
                yield node, name


def _found(program: Program, name: ast.Name) -> list[Binding]:
    return program.module.bindings(name.id, program.module.scope_of[name])


def _is_read_elsewhere(program: Program, name: ast.Name, inside: set[FunctionNode]) -> bool:
    found = _found(program, name)
    home = found[0].scope.node
    if not isinstance(home, FunctionNode):
        return False
    return any(
        isinstance(node, ast.Name) and node.id == name.id and isinstance(node.ctx, ast.Load) and _found(program, node) == found
        for function in program.within(home)
        if function not in inside
        for node in program.module.own[function]
    )


RULE: Final = Rule("EVS015", "lost-write", "a body changes a variable that is read outside it", check)
