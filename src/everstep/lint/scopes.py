"""Which name means what: the scopes of a module, what binds a name in each, and which code belongs to which function.

Rule: Python's own rules of scoping, and no guesses: a name that is bound in several ways means none of them. All walks are
iterative, so that no source is nested too deeply.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
ScopeNode: TypeAlias = FunctionNode | ast.ClassDef | ast.Module | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
Comprehension: TypeAlias = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

BUILTINS: Final = "builtins"
_MARKS: Final = (ast.expr_context, ast.operator, ast.cmpop, ast.unaryop, ast.boolop)  # shared by many nodes, and they say nothing
_MOST_ALIASES: Final = 8  # how far `a = b; b = c; …` is followed


class Kind(Enum):
    """How a name is bound."""

    IMPORT = "import"
    FUNCTION = "function"
    CLASS = "class"
    PARAMETER = "parameter"
    ASSIGNED = "assigned"  # `name = value`
    UNPACKED = "unpacked"  # `first, name = value`
    ENTERED = "entered"  # `with value as name`
    LOOPED = "looped"  # `for name in value`
    OTHER = "other"


@dataclass(eq=False, slots=True)
class Binding:
    """One place that binds a name. value: the function, class, parameter or expression; target: what an import means, dotted."""

    name: str
    kind: Kind
    node: ast.AST
    scope: Scope
    value: ast.AST | None = None
    target: str = ""
    index: int = 0


@dataclass(eq=False, slots=True)
class Scope:
    """A function, class, comprehension or module.

    function: the innermost around its code. elsewhere: names that `global` or `nonlocal` place in an outer scope.
    """

    node: ScopeNode
    parent: Scope | None
    function: FunctionNode | ast.Module
    bindings: dict[str, list[Binding]] = field(default_factory=dict[str, list[Binding]])
    elsewhere: dict[str, type[ast.Global | ast.Nonlocal]] = field(default_factory=dict[str, "type[ast.Global | ast.Nonlocal]"])

    @property
    def is_comprehension(self) -> bool:
        return isinstance(self.node, Comprehension)


class Module:
    """A parsed module: scopes, parents, and the nodes that each function runs itself."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.scope_of: dict[ast.AST, Scope] = {}
        """The scope in which a node is evaluated."""
        self.parent_of: dict[ast.AST, ast.AST] = {}
        self.scopes: dict[ast.AST, Scope] = {}
        """The scope that a function, class, comprehension or module makes."""
        self.own: dict[FunctionNode | ast.Module, list[ast.AST]] = {}
        """What runs when a function runs, without the bodies of functions in it; for the module, what runs on import."""
        self._names: dict[ast.expr, str | None] = {}
        self._bound: set[ast.AST] = set()
        self._nonlocal: list[Binding] = []
        self._walk()

    # -- asking ----------------------------------------------------------------

    def bindings(self, name: str, scope: Scope) -> list[Binding]:
        """What binds the name as it is seen from the scope; nothing if it is a builtin or unknown."""
        seen: Scope | None = scope
        sees_classes = True  # only the code of a class's body does, not that of its methods
        while seen is not None:
            if sees_classes or not isinstance(seen.node, ast.ClassDef):
                where = seen.elsewhere.get(name)
                if where is ast.Global:
                    return self.scopes[self.tree].bindings.get(name, [])
                if where is None and name in seen.bindings:
                    return seen.bindings[name]
            sees_classes = sees_classes and seen.is_comprehension
            seen = seen.parent
        return []

    def binding(self, node: ast.expr) -> Binding | None:
        """The one binding of a name, with plain aliases (`a = b`) followed."""
        for _ in range(_MOST_ALIASES):
            if not isinstance(node, ast.Name):
                return None
            found = self.bindings(node.id, self.scope_of[node])
            if len(found) != 1:
                return None
            (one,) = found
            if one.kind is not Kind.ASSIGNED or not isinstance(one.value, ast.Name):
                return one
            node = one.value
        return None

    def value(self, node: ast.expr) -> ast.expr:
        """The expression that a name was assigned, if that is the only thing it ever is; else the expression itself."""
        for _ in range(_MOST_ALIASES):
            one = self.binding(node)
            if one is None or one.kind is not Kind.ASSIGNED or not isinstance(one.value, ast.expr):
                return node
            node = one.value
        return node

    def qualified(self, node: ast.expr, scope: Scope | None = None) -> str | None:
        """What a name or an attribute means by the imports, dotted: `dt.datetime.now` is `datetime.datetime.now`.

        scope: where it is read, for what is no node of the tree (an annotation that was a string).
        """
        if scope is not None:
            return self._qualify(node, scope)
        if node not in self._names:
            self._names[node] = self._qualify(node, None)
        return self._names[node]

    def _qualify(self, node: ast.expr, scope: Scope | None) -> str | None:
        parts: list[str] = []
        for _ in range(_MOST_ALIASES):
            while isinstance(node, ast.Attribute):
                parts.append(node.attr)
                node = node.value
            if not isinstance(node, ast.Name):
                return None
            found = self.bindings(node.id, scope or self.scope_of[node])
            if not found:
                return ".".join((BUILTINS, node.id, *reversed(parts)))
            targets = {one.target for one in found if one.kind is Kind.IMPORT}
            if targets and all(one.kind is Kind.IMPORT or self._is_a_substitute(one) for one in found):
                return ".".join((*targets, *reversed(parts))) if len(targets) == 1 else None
            (one, *more) = found
            if more or one.kind is not Kind.ASSIGNED or not isinstance(one.value, ast.Name | ast.Attribute):
                return None
            node, scope = one.value, None
        return None

    def _is_a_substitute(self, one: Binding) -> bool:
        """Whether a name is bound in an `except`, for when the import above it fails."""
        return any(isinstance(outer, ast.ExceptHandler) for outer in self.ancestors(one.node))

    def function_at(self, node: ast.AST) -> FunctionNode | ast.Module:
        """The function whose own code the node is, or the module."""
        return self.scope_of[node].function

    def run_by(self, function: FunctionNode, nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
        """The nodes and what is in them, without the bodies of functions in them."""
        for node in nodes:
            for part in ast.walk(node):
                scope = self.scope_of.get(part)
                if scope is not None and scope.function is function:
                    yield part

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around a node, from the innermost."""
        while (parent := self.parent_of.get(node)) is not None:
            yield parent
            node = parent

    def enclosing(self, function: FunctionNode) -> Iterator[FunctionNode]:
        """The function and those that it is nested in, from the innermost."""
        scope: Scope | None = self.scopes[function]
        while scope is not None:
            if isinstance(scope.node, FunctionNode):
                yield scope.node
            scope = scope.parent

    def functions(self) -> Iterator[FunctionNode]:
        return (node for node in self.own if not isinstance(node, ast.Module))

    def parameters(self, function: FunctionNode) -> list[Binding]:
        """Those that can be given by position, in order."""
        scope = self.scopes[function]
        names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
        return [one for name in names for one in scope.bindings.get(name, []) if one.kind is Kind.PARAMETER]

    def parameter(self, function: FunctionNode, name: str) -> Binding | None:
        found = self.scopes[function].bindings.get(name, [])
        return next((one for one in found if one.kind is Kind.PARAMETER), None)

    # -- building --------------------------------------------------------------

    def _walk(self) -> None:
        top = Scope(self.tree, None, self.tree)
        self.scopes[self.tree] = top
        self.own[self.tree] = []
        todo: list[tuple[ast.AST, ast.AST | None, Scope]] = [(self.tree, None, top)]
        while todo:
            node, parent, scope = todo.pop()
            if parent is not None:
                self.parent_of[node] = parent
            self.scope_of[node] = scope
            self.own[scope.function].append(node)
            todo.extend(reversed([(child, node, where) for child, where in self._children(node, scope) if not isinstance(child, _MARKS)]))
        for one in self._nonlocal:
            outer = self._outer(one.scope, one.name)
            if outer is not None:
                one.scope = outer
                outer.bindings[one.name].append(one)

    def _children(self, node: ast.AST, scope: Scope) -> Iterable[tuple[ast.AST, Scope]]:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._bind(scope, node.name, Kind.FUNCTION, node, node)
                return self._function(node, scope)
            case ast.Lambda():
                return self._function(node, scope)
            case ast.ClassDef():
                self._bind(scope, node.name, Kind.CLASS, node, node)
                inside = self._open(node, scope)
                outer = [*node.decorator_list, *node.bases, *node.keywords]
                return [*((child, scope) for child in outer), *((child, inside) for child in node.body)]
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                return self._comprehension(node, scope)
            case _:
                self._bind_by(node, scope)
                return ((child, scope) for child in ast.iter_child_nodes(node))

    def _open(self, node: ScopeNode, parent: Scope) -> Scope:
        inside = Scope(node, parent, node if isinstance(node, FunctionNode) else parent.function)
        self.scopes[node] = inside
        return inside

    def _function(self, node: FunctionNode, scope: Scope) -> list[tuple[ast.AST, Scope]]:
        inside = self._open(node, scope)
        self.own[node] = []
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
        for argument in every:
            self._bind(inside, argument.arg, Kind.PARAMETER, argument, argument)
        outer: list[ast.AST] = [*arguments.defaults, *(one for one in arguments.kw_defaults if one is not None)]
        outer += [argument.annotation for argument in every if argument.annotation is not None]
        if isinstance(node, ast.Lambda):
            return [*((child, scope) for child in outer), (node.body, inside)]
        outer += node.decorator_list
        if node.returns is not None:
            outer.append(node.returns)
        return [*((child, scope) for child in outer), *((child, inside) for child in node.body)]

    def _comprehension(self, node: Comprehension, scope: Scope) -> list[tuple[ast.AST, Scope]]:
        inside = self._open(node, scope)
        results = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        children: list[tuple[ast.AST, Scope]] = []
        for number, generator in enumerate(node.generators):
            self._target(inside, generator.target, Kind.LOOPED, generator.iter)
            self.parent_of[generator] = node
            self.scope_of[generator] = inside
            children.append((generator.iter, inside if number else scope))
            children += [(child, inside) for child in (generator.target, *generator.ifs)]
        return [*children, *((child, inside) for child in results)]

    def _bind(
        self, scope: Scope, name: str, kind: Kind, node: ast.AST, value: ast.AST | None = None, *, target: str = "", index: int = 0
    ) -> None:
        one = Binding(name, kind, node, scope, value, target, index)
        match scope.elsewhere.get(name):
            case None:
                scope.bindings.setdefault(name, []).append(one)
            case ast.Global:
                one.scope = self.scopes[self.tree]
                one.scope.bindings.setdefault(name, []).append(one)
            case _:
                self._nonlocal.append(one)  # what it means may stand further down

    def _outer(self, scope: Scope, name: str) -> Scope | None:
        outer = scope.parent
        while outer is not None:
            if isinstance(outer.node, FunctionNode) and name not in outer.elsewhere and name in outer.bindings:
                return outer
            outer = outer.parent
        return None

    def _bind_by(self, node: ast.AST, scope: Scope) -> None:
        match node:
            case ast.Import(names=names):
                for alias in names:
                    target = alias.name if alias.asname else alias.name.partition(".")[0]
                    self._bind(scope, alias.asname or target, Kind.IMPORT, node, target=target)
            case ast.ImportFrom(names=names):
                start = "." * node.level + (node.module or "")
                for alias in names:
                    self._bind(scope, alias.asname or alias.name, Kind.IMPORT, node, target=f"{start}.{alias.name}")
            case ast.Assign(targets=targets, value=value):
                for assigned in targets:
                    self._target(scope, assigned, Kind.ASSIGNED, value)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self._target(scope, target, Kind.ASSIGNED, value)
            case ast.AnnAssign(target=ast.Name() as target):
                self._bound.add(target)  # an annotation alone binds nothing
            case ast.NamedExpr(target=target, value=value):
                while scope.is_comprehension and scope.parent is not None:
                    scope = scope.parent
                self._target(scope, target, Kind.ASSIGNED, value)
            case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value):
                self._target(scope, target, Kind.LOOPED, value)
            case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                self._target(scope, target, Kind.ENTERED, value)
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                scope.elsewhere.update(dict.fromkeys(names, type(node)))
            case ast.ExceptHandler(name=str() as name) | ast.MatchAs(name=str() as name) | ast.MatchStar(name=str() as name):
                self._bind(scope, name, Kind.OTHER, node)
            case ast.MatchMapping(rest=str() as name):
                self._bind(scope, name, Kind.OTHER, node)
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) if node not in self._bound:
                self._bind(scope, name, Kind.OTHER, node)
            case _:
                pass

    def _target(self, scope: Scope, target: ast.expr, kind: Kind, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self._bound.add(target)
            self._bind(scope, target.id, kind, target, value)
        elif isinstance(target, ast.Tuple | ast.List) and kind is Kind.ASSIGNED:
            for index, part in enumerate(target.elts):
                if isinstance(part, ast.Name):
                    self._bound.add(part)
                    self._bind(scope, part.id, Kind.UNPACKED, part, value, index=index)
        elif isinstance(target, ast.Tuple | ast.List) and kind is Kind.LOOPED:
            for inner in ast.walk(target):
                if isinstance(inner, ast.Name):
                    self._bound.add(inner)
                    self._bind(scope, inner.id, Kind.LOOPED, inner)
