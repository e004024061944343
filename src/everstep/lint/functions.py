"""Which functions of a module an expression stands for, and which of them a call runs.

Rule: names, lambdas, partials, choices, methods of classes of the module, and functions that functions make. A decorator that is
not known may have made anything of its function, so calls of that are not followed.
"""

from __future__ import annotations

import ast
from typing import Final

from everstep.lint.dialects import DIALECTS
from everstep.lint.scopes import Binding, FunctionNode, Kind, Module

_TRANSPARENT: Final = frozenset(
    f"{module}.{name}"
    for module, names in {
        "builtins": ("staticmethod", "classmethod", "property"),
        "contextlib": ("contextmanager", "asynccontextmanager"),
        "functools": ("cache", "cached_property", "lru_cache", "wraps"),
        "typing": ("final", "no_type_check", "override"),
    }.items()
    for name in names
)
"""Decorators after which calling the name still runs the function."""
_MOST_STEPS: Final = 8  # how far an expression is followed to the function it stands for


class Functions:
    """The functions of a module, by the expressions that stand for them."""

    def __init__(self, module: Module) -> None:
        self._module = module

    def definitions(self, node: ast.expr) -> list[FunctionNode]:
        """The functions of the module that an expression stands for."""
        return self._definitions(node, 0)

    def _definitions(self, node: ast.expr, depth: int) -> list[FunctionNode]:
        if depth > _MOST_STEPS:
            return []
        match node:
            case ast.Lambda():
                return [node]
            case ast.IfExp(body=body, orelse=orelse):
                return self._definitions(body, depth + 1) + self._definitions(orelse, depth + 1)
            case ast.Name():
                bindings = self._module.bindings(node.id, self._module.scope_of[node])
                if all(binding.kind is Kind.FUNCTION for binding in bindings):
                    return [binding.value for binding in bindings if isinstance(binding.value, FunctionNode)]
                value = self._module.value(node)
                return [] if value is node else self._definitions(value, depth + 1)
            case ast.Attribute(value=ast.Name() as receiver, attr=name):
                return self._methods(receiver, name)
            case ast.Call(func=func, args=args):
                if self._module.qualified(func) in ("functools.partial", "everstep.Branch") and args:
                    return self._definitions(args[0], depth + 1)
                return self._made_by(func, depth + 1)
            case _:
                return []

    def called(self, call: ast.Call) -> list[FunctionNode]:
        """The functions of the module that a call runs: not those that a decorator has made into something else."""
        if isinstance(call.func, ast.Call):
            return []
        return [function for function in self.definitions(call.func) if self._runs_when_called(function)]

    def gives_coroutine(self, call: ast.Call) -> bool:
        """Whether a call of a function of the module is certain to give a coroutine."""
        called = self.called(call)
        return bool(called) and all(isinstance(one, ast.AsyncFunctionDef) and not self._yields(one) for one in called)

    def _yields(self, function: FunctionNode) -> bool:
        return any(isinstance(node, ast.Yield) for node in self._module.own[function])

    def members(self, node: ast.expr) -> list[FunctionNode]:
        """The functions in a collection of branches."""
        found: list[FunctionNode] = []
        todo = [node]
        for _ in range(10_000):  # each look goes deeper, but a name may stand for itself
            if not todo:
                break
            one = self._module.value(todo.pop())
            match one:
                case ast.List(elts=elements) | ast.Tuple(elts=elements):
                    todo += elements
                case ast.Dict(values=values):
                    todo += values
                case ast.ListComp(elt=element) | ast.GeneratorExp(elt=element) | ast.DictComp(value=element):
                    todo.append(element)
                case ast.Starred(value=value):
                    todo.append(value)
                case ast.BinOp(left=left, op=ast.Add(), right=right):
                    todo += [left, right]
                case _:
                    found += self.definitions(one)
        return found

    def decorators(self, function: FunctionNode) -> list[str | None]:
        """The dotted names of a function's decorators; None for those that are not imported."""
        return [] if isinstance(function, ast.Lambda) else [self.decorator(one) for one in function.decorator_list]

    def decorator(self, node: ast.expr) -> str | None:
        """The dotted name of a decorator, with or without options."""
        made = self._module.value(node)
        if isinstance(made, ast.Call):
            made = made.func.func if isinstance(made.func, ast.Call) else made.func
        return self._module.qualified(made)

    def _methods(self, receiver: ast.Name, name: str) -> list[FunctionNode]:
        """The method that `self.name` is in the code of a class, `Kind.name`, or `thing.name` of what was made as `thing = Kind(…)`."""
        owner = self._class_of(self._module.binding(receiver), receiver.id)
        found = [] if owner is None else self._module.scopes[owner].bindings.get(name, [])
        return [one.value for one in found if isinstance(one.value, FunctionNode)] if len(found) == 1 else []

    def _class_of(self, binding: Binding | None, name: str) -> ast.ClassDef | None:
        match binding:
            case Binding(kind=Kind.PARAMETER, scope=scope) if name in ("self", "cls") and scope.parent is not None:
                return scope.parent.node if isinstance(scope.parent.node, ast.ClassDef) else None
            case Binding(kind=Kind.CLASS, value=ast.ClassDef() as owner):
                return owner
            case Binding(kind=Kind.ASSIGNED, value=ast.Call(func=ast.Name() as func)):
                made_by = self._module.binding(func)
                return made_by.value if made_by is not None and isinstance(made_by.value, ast.ClassDef) else None
            case _:
                return None

    def _made_by(self, func: ast.expr, depth: int) -> list[FunctionNode]:
        """What calling a function of the module gives, where that is a function: `def steps(x): def branch(ctx): …; return branch`."""
        found: list[FunctionNode] = []
        for function in self._definitions(func, depth) if isinstance(func, ast.Name) else ():
            if self._is_bound_by_calling(function):
                found.append(function)
                continue
            returned = [node.value for node in self._module.own[function] if isinstance(node, ast.Return)]
            if isinstance(function, ast.Lambda):
                returned.append(function.body)
            for value in returned:
                if isinstance(value, ast.Name | ast.Lambda):
                    found += self._definitions(value, depth + 1)
        return found

    def _is_bound_by_calling(self, function: FunctionNode) -> bool:
        """Whether a decorator makes calls of the function give a body with those arguments."""
        names = set(self.decorators(function))
        return any(names & (dialect.steps | dialect.children) for dialect in DIALECTS)

    def _runs_when_called(self, function: FunctionNode) -> bool:
        return all(name in _TRANSPARENT for name in self.decorators(function))


def name_of(function: FunctionNode) -> str:
    """What a reader calls the function."""
    return "a lambda" if isinstance(function, ast.Lambda) else function.name


def argument(call: ast.Call, place: int, name: str) -> ast.expr | None:
    """The argument of a call, by its place or its name; None if it is not written out."""
    for given in call.keywords:
        if given.arg == name:
            return given.value
    if place < len(call.args) and not any(isinstance(one, ast.Starred) for one in call.args[: place + 1]):
        return call.args[place]
    return None
