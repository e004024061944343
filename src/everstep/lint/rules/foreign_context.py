"""EVS016: the context of a parent in a child."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from everstep.lint.program import Program
from everstep.lint.rule import Report, Rule
from everstep.lint.scopes import Binding, FunctionNode


def check(program: Program) -> Iterator[Report]:
    for call, operation in program.operations.items():
        child = _child_between(program, call, operation.context)
        if child is not None:
            yield Report(call, _says(program, child, operation.context, f"calls `{operation.written}`"))
    for call, _, _ in program.calls():
        if call in program.operations or not any(function in program.operating for function in program.functions.called(call)):
            continue
        for given in (*call.args, *(keyword.value for keyword in call.keywords)):
            context = program.context(given)
            child = None if context is None else _child_between(program, call, context)
            if child is not None and context is not None:
                yield Report(call, _says(program, child, context, f"hands `{context.name}` on"))


def _child_between(program: Program, call: ast.Call, context: Binding) -> FunctionNode | None:
    """The child's body that stands between a call and the function that was given the context."""
    function = program.module.function_at(call)
    for one in program.module.enclosing(function) if isinstance(function, FunctionNode) else ():
        if one is context.scope.node or one in program.steps:
            return None
        if one in program.children:
            return one
    return None


def _says(program: Program, child: FunctionNode, context: Binding, does: str) -> str:
    by = program.children[child]
    own = next((one.name for one in program.module.parameters(child) if one in program.contexts), None)
    instead = f"use its own, `{own}`" if own is not None else "let it take its own as its first parameter, and use that"
    return (
        f"the body of `{by.written}` {does}, the context of its parent; what it asks there is counted among the parent's operations, "
        f"in an order that no replay keeps: {instead}"
    )


RULE: Final = Rule("EVS016", "foreign-context", "a child's body uses the context of its parent", check)
