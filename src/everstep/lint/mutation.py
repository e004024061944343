"""Which code changes which variable: assignments, and changes of a container in place.

Rule: only changes that are certain. A method called `append` changes something if what it is called on was made as a list.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from typing import Final

from everstep.lint.scopes import Kind, Module, Scope

_CHANGING: Final = frozenset(
    {
        *("add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "insert", "pop", "popitem", "popleft", "remove"),
        *("reverse", "rotate", "sort", "subtract", "update"),
    }
)
_CONTAINERS: Final = frozenset(
    {f"builtins.{name}" for name in ("bytearray", "dict", "list", "set")}
    | {f"collections.{name}" for name in ("Counter", "OrderedDict", "defaultdict", "deque")}
)


def is_container(module: Module, value: ast.AST | None) -> bool:
    """Whether an expression makes a container that can be changed."""
    match value:
        case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
            return True
        case ast.Call(func=func):
            return module.qualified(func) in _CONTAINERS
        case _:
            return False


def changes(module: Module, nodes: Iterable[ast.AST]) -> Iterator[tuple[ast.expr | ast.stmt, ast.Name]]:
    """Changes in place that the nodes make, each with the name of what is changed."""
    for node in nodes:
        match node:
            case ast.Subscript(value=ast.Name() as name, ctx=ast.Store() | ast.Del()):
                yield node, name
            case ast.Attribute(value=ast.Name() as name, ctx=ast.Store() | ast.Del()):
                yield node, name
            case ast.Call(func=ast.Attribute(value=ast.Name() as name, attr=attr)) if attr in _CHANGING:
                found = module.bindings(name.id, module.scope_of[name])
                if any(is_container(module, one.value) for one in found if one.kind is Kind.ASSIGNED):
                    yield node, name
            case _:
                pass


def home(module: Module, name: ast.Name) -> Scope | None:
    """The scope whose variable a name is; None for builtins."""
    found = module.bindings(name.id, module.scope_of[name])
    return found[0].scope if found else None
