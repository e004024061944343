"""EVS022: bodies that see the last round of a loop."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from everstep.lint.dialects import Runs
from everstep.lint.functions import argument
from everstep.lint.program import Program
from everstep.lint.rule import Report, Rule
from everstep.lint.scopes import FunctionNode, Kind


def check(program: Program) -> Iterator[Report]:
    for call, operation in program.operations.items():
        takes = operation.kind.dialect.operations.get(operation.method)
        given = None if takes is None else argument(call, takes.place, takes.name)
        if takes is None or given is None:
            continue
        if takes.runs is Runs.AS_CHILDREN:
            bodies = program.functions.members(given)
            loops: list[ast.AST] = [node for node in ast.walk(program.module.value(given)) if _makes_all_first(program, node)]
        elif operation.kind.is_awaited:
            bodies, loops = program.functions.definitions(given), _loops_around(program, call)
        else:
            continue
        yield from _reports(program, bodies, loops, f"`{operation.written}`")
    for call, given in program.compensations.items():
        bodies, loops = program.functions.definitions(given), _loops_in_a_saga(program, call)
        yield from _reports(program, bodies, loops, "a compensation")


def _reports(program: Program, bodies: list[FunctionNode], loops: list[ast.AST], of: str) -> Iterator[Report]:
    for body in bodies:
        if isinstance(body, ast.Lambda) and (name := _late(program, body, loops)) is not None:
            yield Report(
                body,
                f"the body of {of} reads `{name}` when it runs, and the loop is over by then: every body sees the last `{name}`. "
                f"Bind it: `lambda …, {name}={name}: …`, or give it to a function as an argument",
            )


def _makes_all_first(program: Program, node: ast.AST) -> bool:
    """Whether a comprehension is over before anybody uses what it makes."""
    return isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp) or (
        isinstance(node, ast.GeneratorExp) and isinstance(program.module.parent_of.get(node), ast.Starred)
    )


def _loops_around(program: Program, call: ast.Call) -> list[ast.AST]:
    """The loops that are over when the operation, which is not awaited where it is called, begins."""
    around = program.module.parent_of.get(call)
    if around is not None and _makes_all_first(program, around):
        return [around]
    if not isinstance(around, ast.Call):
        return []  # awaited at once, or who knows
    for outer in program.module.ancestors(call):
        if isinstance(outer, FunctionNode):
            return []
        if isinstance(outer, ast.For):
            waits = any(isinstance(part, ast.Await | ast.AsyncFor | ast.AsyncWith | ast.Break) for part in ast.walk(outer))
            return [] if waits else [outer]
    return []


def _loops_in_a_saga(program: Program, call: ast.Call) -> list[ast.AST]:
    """The loops that are over when the saga ends, which is when compensations run."""
    found: list[ast.AST] = []
    for outer in program.module.ancestors(call):
        match outer:
            case ast.For() | ast.AsyncFor() if not any(isinstance(part, ast.Break) for part in ast.walk(outer)):
                found.append(outer)
            case ast.With(items=items) | ast.AsyncWith(items=items) if any(_is_saga(program, one.context_expr) for one in items):
                return found
            case _:
                pass
    return []


def _is_saga(program: Program, node: ast.expr) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=owner, attr="saga")):
            return program.context(owner) is not None
        case _:
            return False


def _late(program: Program, body: ast.Lambda, loops: list[ast.AST]) -> str | None:
    """A variable of the loops that the body reads when it runs."""
    module = program.module
    targets = {target for loop in loops for target in _targets(loop)}
    for inside in program.within(body):
        for node in module.own[inside]:
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                found = module.bindings(node.id, module.scope_of[node])
                if any(one.kind is Kind.LOOPED and one.node in targets for one in found):
                    return node.id
    return None


def _targets(loop: ast.AST) -> Iterator[ast.AST]:
    match loop:
        case ast.For(target=target) | ast.AsyncFor(target=target):
            yield from ast.walk(target)
        case ast.ListComp(generators=generators) | ast.SetComp(generators=generators) | ast.GeneratorExp(generators=generators):
            for generator in generators:
                yield from ast.walk(generator.target)
        case ast.DictComp(generators=generators):
            for generator in generators:
                yield from ast.walk(generator.target)
        case _:
            pass


RULE: Final = Rule("EVS022", "late-binding", "a body reads the variable of a loop that is over when it runs", check)
