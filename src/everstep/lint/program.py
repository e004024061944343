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
from everstep.lint.functions import Functions, argument, name_of
from everstep.lint.scopes import Binding, FunctionNode, Kind, Module, Scope

_CALLS_ITS_ARGUMENTS: Final = frozenset({"builtins.filter", "builtins.map", "functools.reduce"})
_CALLS_ITS_KEY: Final = frozenset({"builtins.max", "builtins.min", "builtins.sorted"})
_WRAPPERS_OF_TYPES: Final = frozenset({"Annotated", "ClassVar", "Final", "Optional", "Union"})


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
        self.functions = Functions(module)
        self.contexts: dict[Binding, ContextKind] = {}
        self.operations: dict[ast.Call, Operation] = {}
        self.steps: dict[FunctionNode, Operation | None] = {}
        """Bodies of steps, submitters, checks, compensations; by which operation, if that is seen."""
        self.compensations: dict[ast.Call, ast.expr] = {}
        """Calls of `saga.compensate` and `saga.cleanup`, and what they are given."""
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

    def runs_operations(self, call: ast.Call) -> bool:
        """Whether a call is an operation, or runs a function of the module that comes to one."""
        return call in self.operations or any(function in self.operating for function in self.functions.called(call))

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
            for name in self.functions.decorators(function):
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
                made_by = self.functions.decorator(node)
                for dialect in DIALECTS:
                    if made_by in dialect.handlers:
                        for function in self.functions.definitions(node.args[0]):
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

    def _annotated(self, function: FunctionNode) -> list[tuple[Binding, ContextKind]]:
        scope = self.module.scopes[function].parent
        assert scope is not None
        found: list[tuple[Binding, ContextKind]] = []
        for given in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs):
            if given.annotation is not None and (kind := self._context_type(given.annotation, scope)) is not None:
                binding = self.module.parameter(function, given.arg)
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
                self.compensations[call] = compensation
                self.steps.update(dict.fromkeys(self.functions.definitions(compensation)))
            for function in self.functions.called(call):
                yield from self._pass_contexts(call, function)
            return
        self.operations[call] = operation
        if takes is None or (given := argument(call, takes.place, takes.name)) is None:
            return
        bodies = self.functions.members(given) if takes.runs is Runs.AS_CHILDREN else self.functions.definitions(given)
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
        called = [one for one in self.functions.called(call) if one not in self.durable]
        name = self.module.qualified(call.func)
        if name in _CALLS_ITS_ARGUMENTS and call.args:
            called += self.functions.definitions(call.args[0])
        elif name in _CALLS_ITS_KEY or (isinstance(call.func, ast.Attribute) and call.func.attr == "sort"):
            called += [one for keyword in call.keywords if keyword.arg == "key" for one in self.functions.definitions(keyword.value)]
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
