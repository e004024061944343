"""What a module's code is to a durable execution: which functions are handler code, which are bodies of steps, what is an operation.

Rule: only what the module itself shows. A function whose use is not seen is neither handler code nor a step's body, and no
rule speaks of it. Handler code is followed into the functions of the same module that it calls.
"""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from everstep.lint.dialects import DIALECTS, Dialect, Runs, Takes
from everstep.lint.scopes import Binding, FunctionNode, Kind, Module, Scope

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
_CALLS_ITS_ARGUMENTS: Final = frozenset({"builtins.filter", "builtins.map", "functools.reduce"})
_CALLS_ITS_KEY: Final = frozenset({"builtins.max", "builtins.min", "builtins.sorted"})
_WRAPPERS_OF_TYPES: Final = frozenset({"Annotated", "ClassVar", "Final", "Optional", "Union"})
_MOST_STEPS: Final = 8  # how far an expression is followed to the function it stands for


@dataclass(frozen=True, slots=True)
class ContextKind:
    """What a context is. is_awaited: whether its operations give coroutines."""

    dialect: Dialect
    is_awaited: bool


@dataclass(frozen=True, eq=False, slots=True)
class Operation:
    """A call of an operation. context: the parameter that the context came in by."""

    node: ast.Call
    method: str
    context: Binding
    kind: ContextKind

    @property
    def written(self) -> str:
        """As a reader would name it: `ctx.step`."""
        return f"{self.context.name}.{self.method}" if isinstance(self.node.func, ast.Attribute) else self.method


@dataclass(frozen=True, eq=False, slots=True)
class Handling:
    """Why a function is handler code. name: of the handler or of the function with a context; through: the calls from there."""

    name: str
    kind: ContextKind
    through: tuple[str, ...] = ()


class Program:
    """A module, and what each of its functions is."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.contexts: dict[Binding, ContextKind] = {}
        self.operations: dict[ast.Call, Operation] = {}
        self.steps: dict[FunctionNode, Operation | None] = {}
        """Bodies of steps, submitters, checks, compensations; by which operation, if that is seen."""
        self.children: dict[FunctionNode, Operation] = {}
        """Bodies of child contexts, items and branches."""
        self.handlers: dict[FunctionNode, Handling] = {}
        self.operating: set[FunctionNode] = set()
        """Functions that come to an operation themselves, or by calling functions of the module that do."""
        self.durable: dict[FunctionNode, None] = {}
        """Those that a decorator makes handlers, in their order."""
        self._inside: dict[FunctionNode, list[FunctionNode]] = {}
        self._callers: dict[FunctionNode, set[FunctionNode]] = {}
        if self._speaks_of_an_sdk():
            for function in module.functions():
                for outer in module.enclosing(function):
                    self._inside.setdefault(outer, []).append(function)
            self._find_contexts()
            self._find_handler_code()
            self._find_operating()

    # -- asking ----------------------------------------------------------------

    def code(self) -> Iterator[tuple[ast.AST, FunctionNode, Handling]]:
        """Every node of handler code, with its function."""
        for function, handling in self.handlers.items():
            for node in self.module.own[function]:
                yield node, function, handling

    def calls(self) -> Iterator[tuple[ast.Call, FunctionNode, Handling]]:
        """Every call in handler code."""
        for node, function, handling in self.code():
            if isinstance(node, ast.Call):
                yield node, function, handling

    def within(self, function: FunctionNode) -> list[FunctionNode]:
        """The function and those that are defined in it."""
        return self._inside.get(function, [function])

    def context(self, node: ast.expr) -> Binding | None:
        """The parameter that an expression is, if that is a context."""
        found = self.module.binding(node)
        return found if found in self.contexts else None

    def context_name(self, function: FunctionNode, default: str = "ctx") -> str:
        """What handler code calls its context."""
        for outer in self.module.enclosing(function):
            for one in self.module.parameters(outer):
                if one in self.contexts:
                    return one.name
        return default

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
                bindings = self.module.bindings(node.id, self.module.scope_of[node])
                if all(binding.kind is Kind.FUNCTION for binding in bindings):
                    return [binding.value for binding in bindings if isinstance(binding.value, FunctionNode)]
                value = self.module.value(node)
                return [] if value is node else self._definitions(value, depth + 1)
            case ast.Attribute(value=ast.Name() as receiver, attr=name):
                return self._methods(receiver, name)
            case ast.Call(func=func, args=args):
                if self.module.qualified(func) in ("functools.partial", "everstep.Branch") and args:
                    return self._definitions(args[0], depth + 1)
                return self._made_by(func, depth + 1)
            case _:
                return []

    def called(self, call: ast.Call) -> list[FunctionNode]:
        """The functions of the module that a call runs: not those that a decorator has made into something else."""
        if isinstance(call.func, ast.Call):
            return []
        return [function for function in self.definitions(call.func) if self._runs_when_called(function)]

    def runs_operations(self, call: ast.Call) -> bool:
        """Whether a call is an operation, or runs a function of the module that comes to one."""
        return call in self.operations or any(function in self.operating for function in self.called(call))

    # -- contexts and operations -----------------------------------------------

    def _speaks_of_an_sdk(self) -> bool:
        return any(
            one.target.partition(".")[0] in {dialect.package for dialect in DIALECTS}
            for scope in self.module.scopes.values()
            for bindings in scope.bindings.values()
            for one in bindings
            if one.kind is Kind.IMPORT
        )

    def _find_contexts(self) -> None:
        todo: deque[FunctionNode] = deque()
        for function in self.module.functions():
            decorators = [] if isinstance(function, ast.Lambda) else function.decorator_list
            for name in map(self._decorator, decorators):
                for dialect in DIALECTS:
                    if name in dialect.handlers:
                        self._make_handler(function, dialect)
                    if name in dialect.steps:
                        self.steps[function] = None
            for parameter in self._annotated(function):
                self.contexts.setdefault(*parameter)
                todo.append(function)
        for node in self.module.scope_of:
            if isinstance(node, ast.Call) and node.args:
                made_by = self._decorator(node)
                for dialect in DIALECTS:
                    if made_by in dialect.handlers:
                        for function in self.definitions(node.args[0]):
                            self._make_handler(function, dialect)
        todo.extend(self.durable)
        while todo:
            for function in self.within(todo.popleft()):
                for node in self.module.own[function]:
                    if isinstance(node, ast.Call):
                        todo.extend(self._read_call(node))

    def _make_handler(self, function: FunctionNode, dialect: Dialect) -> None:
        self.durable[function] = None
        parameters = [one for one in self.module.parameters(function) if one.name not in ("self", "cls")]
        if len(parameters) > 1 and not self._annotated(function):
            self.contexts.setdefault(parameters[1], ContextKind(dialect, dialect.has_substitutes and self._is_async(function)))

    def _is_async(self, function: FunctionNode) -> bool:
        return isinstance(function, ast.AsyncFunctionDef)

    def _decorator(self, node: ast.expr) -> str | None:
        """The dotted name of a decorator, with or without options."""
        made = self.module.value(node)
        if isinstance(made, ast.Call):
            made = made.func.func if isinstance(made.func, ast.Call) else made.func
        return self.module.qualified(made)

    def _annotated(self, function: FunctionNode) -> list[tuple[Binding, ContextKind]]:
        scope = self.module.scopes[function].parent
        assert scope is not None
        found: list[tuple[Binding, ContextKind]] = []
        for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs):
            if argument.annotation is not None and (kind := self._context_type(argument.annotation, scope)) is not None:
                binding = self.module.parameter(function, argument.arg)
                if binding is not None:
                    found.append((binding, kind))
        return found

    def _context_type(self, annotation: ast.expr, scope: Scope) -> ContextKind | None:
        todo = [annotation]
        while todo:
            node = todo.pop()
            match node:
                case ast.Constant(value=str() as text):
                    try:
                        todo.append(ast.parse(text.strip(), mode="eval").body)
                    except (SyntaxError, ValueError, RecursionError, MemoryError):
                        continue
                case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                    todo += [left, right]
                case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inside) if name in _WRAPPERS_OF_TYPES:
                    todo += inside.elts if isinstance(inside, ast.Tuple) else [inside]
                case ast.Name() | ast.Attribute():
                    dotted = self.module.qualified(node, scope)
                    for dialect in DIALECTS:
                        if dotted is not None and dotted in dialect.contexts:
                            return ContextKind(dialect, dialect.contexts[dotted])
                case _:
                    pass
        return None

    def _read_call(self, call: ast.Call) -> Iterator[FunctionNode]:
        """Take note of an operation or of a context that is passed on. Yields the functions that have got a context by it."""
        if call in self.operations:
            return
        operation, takes = self._operation(call)
        if operation is None:
            if (compensation := self._compensation(call)) is not None:
                self.steps.update(dict.fromkeys(self.definitions(compensation)))
            for function in self.called(call):
                yield from self._pass_contexts(call, function)
            return
        self.operations[call] = operation
        if takes is None or (given := argument(call, takes.place, takes.name)) is None:
            return
        bodies = self._members(given) if takes.runs is Runs.AS_CHILDREN else self.definitions(given)
        for body in bodies:
            if takes.runs is Runs.AS_STEP:
                self.steps[body] = operation
                yield from self._pass_contexts(call, body, takes.place + 1, hidden=operation.method == "wait_for_callback")
            else:
                self.children[body] = operation
                parameters = [one for one in self.module.parameters(body) if one.name not in ("self", "cls")]
                if parameters and parameters[0] not in self.contexts and not self._annotated(body):
                    awaited = operation.kind.is_awaited
                    self.contexts[parameters[0]] = ContextKind(operation.kind.dialect, awaited)
                    yield body

    def _operation(self, call: ast.Call) -> tuple[Operation | None, Takes | None]:
        func = call.func
        if isinstance(func, ast.Attribute) and (binding := self.context(func.value)) is not None:
            kind = self.contexts[binding]
            if func.attr in kind.dialect.operations:
                return Operation(call, func.attr, binding, kind), kind.dialect.operations[func.attr]
        elif call.args and (binding := self.context(call.args[0])) is not None:
            kind = self.contexts[binding]
            takes = kind.dialect.functions.get(self.module.qualified(func) or "")
            if takes is not None:
                return Operation(call, takes.name, binding, kind), takes
        return None, None

    def _compensation(self, call: ast.Call) -> ast.expr | None:
        """What `saga.compensate(body)` or `saga.cleanup(body)` is given."""
        match call:
            case ast.Call(func=ast.Attribute(value=ast.Name() as saga, attr="compensate" | "cleanup"), args=[body, *_]):
                match self.module.binding(saga):
                    case Binding(value=ast.Call(func=ast.Attribute(value=owner, attr="saga"))) if self.context(owner) is not None:
                        return body
                    case _:
                        return None
            case _:
                return None

    def _pass_contexts(self, call: ast.Call, function: FunctionNode, first: int = 0, *, hidden: bool = False) -> Iterator[FunctionNode]:
        """first: the argument of the call that is the function's first; hidden: it gets one before that."""
        parameters = [one for one in self.module.parameters(function) if one.name not in ("self", "cls")][hidden:]
        given = list(zip(parameters, call.args[first:], strict=False))
        given += [
            (parameter, keyword.value)
            for keyword in call.keywords
            if keyword.arg is not None and (parameter := self.module.parameter(function, keyword.arg)) is not None
        ]
        for parameter, value in given:
            if isinstance(value, ast.Starred):
                return
            passed = self.context(value)
            if passed is not None and parameter not in self.contexts:
                self.contexts[parameter] = self.contexts[passed]
                yield function

    def _members(self, node: ast.expr) -> list[FunctionNode]:
        """The functions in a collection of branches."""
        found: list[FunctionNode] = []
        todo = [node]
        for _ in range(10_000):  # each look goes deeper, but a name may stand for itself
            if not todo:
                break
            one = self.module.value(todo.pop())
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

    def _methods(self, receiver: ast.Name, name: str) -> list[FunctionNode]:
        """The method that `self.name` is, in the code of a class."""
        binding = self.module.binding(receiver)
        if binding is None or binding.kind is not Kind.PARAMETER or receiver.id not in ("self", "cls"):
            return []
        owner = binding.scope.parent
        if owner is None or not isinstance(owner.node, ast.ClassDef):
            return []
        found = owner.bindings.get(name, [])
        return [one.value for one in found if isinstance(one.value, FunctionNode)] if len(found) == 1 else []

    def _made_by(self, func: ast.expr, depth: int) -> list[FunctionNode]:
        """What calling a function of the module gives, where that is a function: `def steps(x): def branch(ctx): …; return branch`."""
        found: list[FunctionNode] = []
        for function in self._definitions(func, depth) if isinstance(func, ast.Name) else ():
            if self._is_bound_by_calling(function):
                found.append(function)
                continue
            returned = [node.value for node in self.module.own[function] if isinstance(node, ast.Return)]
            if isinstance(function, ast.Lambda):
                returned.append(function.body)
            for value in returned:
                if isinstance(value, ast.Name | ast.Lambda):
                    found += self._definitions(value, depth + 1)
        return found

    def _is_bound_by_calling(self, function: FunctionNode) -> bool:
        """Whether a decorator makes calls of the function give a body with those arguments."""
        decorators = [] if isinstance(function, ast.Lambda) else function.decorator_list
        names = set(map(self._decorator, decorators))
        return any(names & (dialect.steps | dialect.children) for dialect in DIALECTS)

    def _runs_when_called(self, function: FunctionNode) -> bool:
        decorators = [] if isinstance(function, ast.Lambda) else function.decorator_list
        return all(self._decorator(one) in _TRANSPARENT for one in decorators)

    # -- roles -----------------------------------------------------------------

    def _find_handler_code(self) -> None:
        todo: deque[FunctionNode] = deque()

        def enter(functions: Iterable[FunctionNode], handling: Handling) -> None:
            for function in functions:
                if function not in self.handlers:
                    self.handlers[function] = handling
                    todo.append(function)

        def follow() -> None:
            while todo:
                function = todo.popleft()
                for node in self.module.own[function]:
                    if isinstance(node, ast.Call):
                        self._follow(node, function, enter)

        for handler in self.durable:
            kind = next((self.contexts[one] for one in self.module.parameters(handler) if one in self.contexts), None)
            if kind is not None:
                enter([handler], Handling(name_of(handler), kind))
        follow()
        for binding, kind in list(self.contexts.items()):
            function = binding.scope.node
            if isinstance(function, FunctionNode) and function not in self.steps and self._annotated(function):
                enter([function], Handling(name_of(function), kind))
                follow()

    def _follow(self, call: ast.Call, function: FunctionNode, enter: Callable[[Iterable[FunctionNode], Handling], None]) -> None:
        handling = self.handlers[function]
        operation, takes = self._operation(call)
        if operation is not None:
            if takes is not None and takes.runs is not Runs.AS_STEP:
                bodies = [body for body, by in self.children.items() if by.node is call]
                enter(bodies, Handling(handling.name, operation.kind, handling.through))
            return
        called = [one for one in self.called(call) if one not in self.durable]
        name = self.module.qualified(call.func)
        if name in _CALLS_ITS_ARGUMENTS and call.args:
            called += self.definitions(call.args[0])
        elif name in _CALLS_ITS_KEY or (isinstance(call.func, ast.Attribute) and call.func.attr == "sort"):
            called += [one for keyword in call.keywords if keyword.arg == "key" for one in self.definitions(keyword.value)]
        for one in called:
            through = handling.through if isinstance(one, ast.Lambda) else (*handling.through, name_of(one))
            enter([one], Handling(handling.name, handling.kind, through))
            self._callers.setdefault(one, set()).add(function)

    def _find_operating(self) -> None:
        todo = [function for call in self.operations if isinstance(function := self.module.function_at(call), FunctionNode)]
        while todo:
            function = todo.pop()
            if function not in self.operating:
                self.operating.add(function)
                todo += self._callers.get(function, ())


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
