"""EVS011: operations in the order of a set."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Final

from everstep.lint.functions import argument
from everstep.lint.program import Program
from everstep.lint.rule import Report, Rule, reached
from everstep.lint.scopes import Binding, FunctionNode, Kind

_MAKE_SETS: Final = frozenset({"builtins.set", "builtins.frozenset"})
_SET_METHODS: Final = frozenset({"copy", "difference", "intersection", "symmetric_difference", "union"})
_SET_TYPES: Final = frozenset(
    {
        "builtins.set",
        "builtins.frozenset",
        "collections.abc.Set",
        "collections.abc.MutableSet",
        "typing.AbstractSet",
        "typing.FrozenSet",
        "typing.Set",
    }
)
_KEEP_ORDER: Final = frozenset(f"builtins.{name}" for name in ("enumerate", "filter", "iter", "list", "map", "reversed", "tuple", "zip"))
"""They give what they are given in the order in which they are given it."""
_OVER_ITEMS: Final = {"map": ("items", "inputs"), "map_batches": ("items",), "parallel": ("branches", "functions")}
_FARTHEST: Final = 8


def check(program: Program) -> Iterator[Report]:
    for node, function, handling in program.code():
        match node:
            case ast.For(iter=source, body=body) | ast.AsyncFor(iter=source, body=body) if is_unordered(program, source):
                operations = _operations(program, body, function)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                sources = [one.iter for one in node.generators if is_unordered(program, one.iter)]
                results = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
                operations = _operations(program, results, function) if sources else []
                source = sources[0] if sources else node
            case ast.Call() if (given := _items(program, node)) is not None and is_unordered(program, given):
                source, operations = given, [node]
            case _:
                continue
        if operations:
            yield Report(
                source,
                "operations are made in the order of a set, which is another one in another process; on a replay they ask for each other's "
                f"records: go over a list, or over `sorted(…)`{reached(handling)}",
            )


def _operations(program: Program, nodes: Sequence[ast.AST], function: FunctionNode) -> list[ast.Call]:
    """The calls in the nodes that make operations whose place counts."""
    calls = [part for part in program.module.run_by(function, nodes) if isinstance(part, ast.Call)]
    return [call for call in calls if program.runs_operations(call) and not any(keyword.arg == "key" for keyword in call.keywords)]


def _items(program: Program, call: ast.Call) -> ast.expr | None:
    operation = program.operations.get(call)
    if operation is None or operation.method not in _OVER_ITEMS:
        return None
    return next((given for name in _OVER_ITEMS[operation.method] if (given := argument(call, 0, name)) is not None), None)


def is_unordered(program: Program, node: ast.expr, depth: int = 0) -> bool:
    """Whether an expression gives its items in no order that is the same in another process."""
    if depth > _FARTHEST:
        return False
    deeper = depth + 1
    module = program.module
    match node:
        case ast.Set(elts=elements):
            return not all(isinstance(one, ast.Constant) and isinstance(one.value, int) for one in elements)
        case ast.SetComp():
            return True
        case ast.ListComp(generators=generators) | ast.GeneratorExp(generators=generators):
            return any(is_unordered(program, one.iter, deeper) for one in generators)
        case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() | ast.BitXor() | ast.Sub()):
            return is_unordered(program, left, deeper)
        case ast.Starred(value=value):
            return is_unordered(program, value, deeper)
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return any(isinstance(one, ast.Starred) and is_unordered(program, one, deeper) for one in elements)
        case ast.Call(func=func, args=arguments):
            name = module.qualified(func)
            if name in _MAKE_SETS:
                return bool(arguments) and not _gives_numbers(program, arguments[0])
            if name in _KEEP_ORDER:
                return any(is_unordered(program, one, deeper) for one in arguments)
            return isinstance(func, ast.Attribute) and func.attr in _SET_METHODS and is_unordered(program, func.value, deeper)
        case ast.Name():
            found = module.bindings(node.id, module.scope_of[node])
            bound = [one for one in found if not isinstance(module.parent_of.get(one.node), ast.AugAssign)]
            return bool(bound) and all(_is_bound_to_set(program, one, deeper) for one in bound)
        case _:
            return False


def _gives_numbers(program: Program, node: ast.expr) -> bool:
    """Sets of small numbers are in the same order everywhere."""
    return isinstance(node, ast.Call) and program.module.qualified(node.func) == "builtins.range"


def _is_bound_to_set(program: Program, one: Binding, depth: int) -> bool:
    match one:
        case Binding(kind=Kind.ASSIGNED, value=ast.expr() as value):
            return is_unordered(program, value, depth)
        case Binding(kind=Kind.UNPACKED, value=ast.Await(value=ast.Call(func=func))):
            return program.module.qualified(func) == "asyncio.wait"
        case Binding(kind=Kind.PARAMETER, node=ast.arg(annotation=ast.expr() as annotation)):
            kind, of = (annotation.value, annotation.slice) if isinstance(annotation, ast.Subscript) else (annotation, None)
            return program.module.qualified(kind) in _SET_TYPES and (of is None or program.module.qualified(of) != "builtins.int")
        case _:
            return False


RULE: Final = Rule("EVS011", "unordered", "operations are made in the order of a set", check)
