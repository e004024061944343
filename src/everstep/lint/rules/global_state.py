"""EVS010: global state."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Final

from everstep.lint.mutation import changes, home, is_container
from everstep.lint.program import Program
from everstep.lint.rule import Report, Rule, reached
from everstep.lint.scopes import Kind


def check(program: Program) -> Iterator[Report]:
    changed_in_steps: set[str] = set()
    for step in program.steps:
        for inside in program.within(step):
            changed_in_steps.update(name for _, name in _changed_globals(program, program.module.own[inside]))
    for function, handling in program.handlers.items():
        own = program.module.own[function]
        for change, name in _changed_globals(program, own):
            yield Report(
                change,
                f"handler code changes the global {name}; every replay changes it again, and executions share it: "
                f"keep it in a local variable, or in a place that steps read and write{reached(handling)}",
            )
        for node in own:
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in changed_in_steps and _is_global(program, node):
                yield Report(
                    node,
                    f"handler code reads the global {node.id}, which a step changes; a replay does not run the step again, so it finds "
                    f"another value: let the step return what the handler needs{reached(handling)}",
                )


def _changed_globals(program: Program, nodes: Iterable[ast.AST]) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """Caches aside: what is set only where it is looked for first changes once."""
    nodes = list(nodes)
    module = program.module
    for change, name in changes(module, nodes):
        values = [one.value for one in module.bindings(name.id, module.scope_of[name]) if one.kind is Kind.ASSIGNED]
        is_kept = any(is_container(module, value) for value in values)
        if is_kept and _is_global(program, name) and not _is_guarded(program, change, name.id):
            yield change, name.id
    for node in nodes:
        is_set = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del) and _is_global(program, node)
        if isinstance(node, ast.Name) and is_set and not _is_guarded(program, node, node.id):
            yield node, node.id


def _is_global(program: Program, name: ast.Name) -> bool:
    return home(program.module, name) is program.module.scopes[program.module.tree]


def _is_guarded(program: Program, node: ast.expr | ast.stmt, name: str) -> bool:
    """Whether the name is looked at first: by a test around, or in the function above it, as caches do."""
    module = program.module
    statement: ast.AST = node
    for outer in module.ancestors(node):
        if isinstance(outer, ast.If | ast.IfExp) and _names(outer.test, name):
            return True
        if isinstance(outer, ast.stmt) and not isinstance(statement, ast.stmt):
            statement = outer
    above = [part for part in module.own[module.function_at(node)] if isinstance(part, ast.expr) and part.lineno < node.lineno]
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        return any(isinstance(part, ast.Name) and part.id == name and isinstance(part.ctx, ast.Load) for part in above)
    return any(isinstance(module.parent_of[part], ast.If) and _names(part, name) for part in above)


def _names(node: ast.AST, name: str) -> bool:
    return any(isinstance(part, ast.Name) and part.id == name for part in ast.walk(node))


RULE: Final = Rule("EVS010", "global-state", "handler code changes a global, or reads one that a step changes", check)
