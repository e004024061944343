"""Names that handler code must not call or read: clocks, chance, files and the like.

Rule: a name is matched by what the imports make of it, never by its spelling alone.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator

from everstep.lint.program import Handling, Program
from everstep.lint.rule import Report, reached
from everstep.lint.scopes import FunctionNode


def is_listed(name: str, listed: Collection[str]) -> bool:
    """Whether a dotted name is listed, itself or by an entry `package.*` that covers everything in it."""
    if name in listed:
        return True
    package = name.rpartition(".")[0]
    while package:
        if f"{package}.*" in listed:
            return True
        package = package.rpartition(".")[0]
    return False


def forbidden_calls(
    program: Program,
    listed: Collection[str],
    says: Callable[[str, str, Handling], str],
    *,
    unless: Callable[[ast.Call, str], bool] | None = None,
) -> Iterator[Report]:
    """Reports of calls in handler code of what is listed. says: of (name, context's name, handling)."""
    for call, function, handling in program.calls():
        name = program.module.qualified(call.func)
        if name is not None and is_listed(name, listed) and not (unless is not None and unless(call, name)):
            yield Report(call, says(shown(name), program.context_name(function), handling) + reached(handling))


def shown(name: str) -> str:
    """A dotted name as people write it."""
    return name.removeprefix("builtins.")


def in_argument_of_operation(program: Program, node: ast.AST, function: FunctionNode) -> bool:
    """Whether an expression is only handed to an operation, in a place that is not recorded: not its name or its key."""
    inner = node
    for outer in program.module.ancestors(node):
        if outer is function or isinstance(outer, ast.stmt | FunctionNode):
            return False
        if isinstance(outer, ast.Call) and outer in program.operations:
            return not (isinstance(inner, ast.keyword) and inner.arg in ("name", "key"))
        inner = outer
    return False
