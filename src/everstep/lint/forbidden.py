"""Names that handler code must not call or read: clocks, chance, files and the like.

Rule: a name is matched by what the imports make of it, never by its spelling alone.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator
from typing import Final

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
    """Reports of calls in handler code of what is listed, also by the defaults of a class that it makes an instance of.

    What is only written to a log is no matter. says: of (name, context's name, handling). unless: what makes a listed call a harmless one.
    """
    for call, function, handling in program.calls():
        name = program.module.qualified(call.func)
        if name is not None and is_listed(name, listed):
            if (unless is not None and unless(call, name)) or is_logged(program, call):
                continue
            yield Report(call, says(shown(name), program.context_name(function), handling) + reached(handling))
        elif isinstance(call.func, ast.Name):
            for field, made_by in _defaults(program, call, call.func):
                if is_listed(made_by, listed):
                    said = says(shown(made_by), program.context_name(function), handling)
                    yield Report(call, f"{said}. It is called for the field `{field}` of `{call.func.id}`{reached(handling)}")


def _defaults(program: Program, call: ast.Call, name: ast.Name) -> Iterator[tuple[str, str]]:
    """The fields of a class of the module that a call leaves to a factory, and what that calls."""
    kind = program.module.binding(name)
    if kind is None or not isinstance(kind.value, ast.ClassDef) or call.args or any(given.arg is None for given in call.keywords):
        return
    written = {given.arg for given in call.keywords}
    for statement in kind.value.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=field), value=ast.Call(keywords=options)) if field not in written:
                for option in options:
                    if option.arg == "default_factory":
                        yield from ((field, made_by) for made_by in _called_by(program, option.value))
            case _:
                pass


def _called_by(program: Program, factory: ast.expr) -> Iterator[str]:
    functions = [part.func for part in ast.walk(factory) if isinstance(part, ast.Call)] if isinstance(factory, ast.Lambda) else [factory]
    for function in functions:
        name = program.module.qualified(function)
        if name is not None:
            yield name


def shown(name: str) -> str:
    """A dotted name as people write it."""
    return name.removeprefix("builtins.")


_LEVELS: Final = frozenset({"critical", "debug", "error", "exception", "info", "log", "warning"})


def is_logged(program: Program, node: ast.AST) -> bool:
    """Whether an expression is only written to a log or printed."""
    for outer in program.module.ancestors(node):
        if isinstance(outer, ast.stmt | FunctionNode):
            return False
        if isinstance(outer, ast.Call):
            func = outer.func
            if program.module.qualified(func) == "builtins.print":
                return True
            if isinstance(func, ast.Attribute) and func.attr in _LEVELS:
                owner = func.value.attr if isinstance(func.value, ast.Attribute) else getattr(func.value, "id", "")
                return owner in ("log", "logger", "logging")
    return False


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
