"""EVS014: operations in steps."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from everstep.lint.program import Program
from everstep.lint.rule import Report, Rule
from everstep.lint.scopes import Binding, FunctionNode


def check(program: Program) -> Iterator[Report]:
    for call, operation in program.operations.items():
        step = _step_around(program, call, operation.context)
        if step is not None:
            yield Report(call, _says(program, step, f"calls `{operation.written}`"))
    for step in program.steps:
        for inside in program.within(step):
            for node in program.module.own[inside]:
                if isinstance(node, ast.Call) and node not in program.operations and _hands_a_context_on(program, node, step):
                    yield Report(node, _says(program, step, "hands a context to a function that calls operations"))


def _step_around(program: Program, call: ast.Call, context: Binding) -> FunctionNode | None:
    """The step that the call stands in, if the context comes from outside it or was given to it."""
    function = program.module.function_at(call)
    for one in program.module.enclosing(function) if isinstance(function, FunctionNode) else ():
        if one in program.steps and one not in program.handlers:
            return one
        if one is context.scope.node:
            return None
    return None


def _hands_a_context_on(program: Program, call: ast.Call, step: FunctionNode) -> bool:
    if step in program.handlers or not any(function in program.operating for function in program.functions.called(call)):
        return False
    return any(program.context(given) is not None for given in (*call.args, *(keyword.value for keyword in call.keywords)))


def _says(program: Program, step: FunctionNode, does: str) -> str:
    operation = program.steps[step]
    kind = f"`{operation.written}`" if operation is not None else "a step"
    context = operation.context.name if operation is not None else "ctx"
    return (
        f"the body of {kind} {does}; a body runs once and is not replayed, so nothing in it can be an operation: "
        f"call it in the handler, or make the block a child context, `{context}.run_in_child_context(…)`"
    )


RULE: Final = Rule("EVS014", "operation-in-step", "a step's body calls operations", check)
