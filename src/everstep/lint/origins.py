"""Where a value comes from: the imported name that was called to make it.

Rule: only what is written in the module: `table = boto3.resource("dynamodb").Table(name)` comes from `boto3.resource`.
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from typing import Final

from everstep.lint.scopes import BUILTINS, Kind, Module

_FARTHEST: Final = 12


def origin(module: Module, node: ast.expr, passing: Collection[str]) -> str | None:
    """The imported callable that made the value.

    passing: methods and attributes whose value counts as of the same origin; capitalised ones do as well.
    """
    for _ in range(_FARTHEST):
        one = module.binding(node)
        if one is not None and one.kind in (Kind.ASSIGNED, Kind.ENTERED) and isinstance(one.value, ast.expr):
            node = one.value
        match node:
            case ast.Await(value=value):
                node = value
            case ast.Call(func=func):
                name = module.qualified(func)
                if name is not None and not name.startswith(f"{BUILTINS}."):
                    return name
                if not isinstance(func, ast.Attribute) or not (func.attr in passing or func.attr[:1].isupper()):
                    return None
                node = func.value
            case ast.Attribute(value=value, attr=attr) if attr in passing or attr[:1].isupper():
                node = value
            case ast.BinOp(left=left, op=ast.Div()):
                node = left
            case ast.Name():
                if one is None:
                    return None
            case _:
                return None
    return None
