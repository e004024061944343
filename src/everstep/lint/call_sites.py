"""Where in a source operations are called, and what names they are recorded under.

Rule: whoever looks a name up finds the one place that can have recorded it, or nothing. So a name that is made when the handler runs is a
pattern that may match more than it makes, and what only looks like an operation is a place like the others, though it is never the answer.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from everstep.lint.functions import argument, name_of
from everstep.lint.program import Program
from everstep.lint.scopes import Module

SUB_TYPES: Final[Mapping[str, str]] = {
    "step": "Step",
    "wait_for_condition": "WaitForCondition",
    "wait": "Wait",
    "wait_until": "Wait",
    "create_callback": "Callback",
    "wait_for_callback": "WaitForCallback",
    "invoke": "ChainedInvoke",
    "recurse": "ChainedInvoke",
    "run_in_child_context": "RunInChildContext",
    "with_retry": "RunInChildContext",
    "map": "Map",
    "map_batches": "Map",
    "parallel": "Parallel",
}
"""What a method's operation is recorded as. Of those that are not here, and of those with a sub-type of their own, nothing is said."""
_BODY: Final[Mapping[str, tuple[int, str]]] = {
    "step": (0, "body"),
    "wait_for_condition": (0, "check"),
    "wait_for_callback": (0, "submitter"),
    "run_in_child_context": (0, "body"),
    "with_retry": (0, "body"),
    "map": (1, "body"),
    "map_batches": (1, "body"),
}
"""The function whose name is the operation's, unless it is given one."""
_INSTEAD: Final[Mapping[str, str]] = {"with_retry": "with_retry", "map_batches": "map_batches"}
"""The name where there is none otherwise."""
_ANYTHING: Final = ".*"


@dataclass(frozen=True, slots=True)
class CallSite:
    """name: a pattern of the names that it may record; None: none. file: as whoever read it calls it.

    is_sure: whether it certainly is an operation.
    """

    sub_type: str
    name: str | None
    file: str
    line: int
    is_sure: bool = True

    def may_record(self, sub_type: str, name: str | None) -> bool:
        if self.sub_type != sub_type:
            return False
        if self.name is None or name is None:
            return self.name in (None, _ANYTHING) and name is None
        return re.fullmatch(self.name, name, re.DOTALL) is not None


def call_sites(tree: ast.Module, file: str, handler: str = "") -> list[CallSite]:
    """handler: the one that is of interest, if it is in this source; then what belongs to other handlers is left out."""
    program = Program(Module(tree))
    left_out = _of_others(program, handler)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node not in left_out]
    found = [site for call in calls if (site := _site_of(program, call, file)) is not None]
    return sorted(found, key=lambda site: site.line)


def _of_others(program: Program, handler: str) -> set[ast.AST]:
    if handler not in {name_of(function) for function in program.durable}:
        return set()
    others = [function for function in program.durable if name_of(function) != handler]
    return {node for other in others for function in program.within(other) for node in program.module.own[function]}


def the_site(sites: Iterable[CallSite], sub_type: str, name: str | None) -> CallSite | None:
    """The only place that may have recorded it."""
    found = [site for site in sites if site.may_record(sub_type, name)]
    return found[0] if len(found) == 1 and found[0].is_sure and found[0].name != _ANYTHING else None


def imports(tree: ast.Module, module: str) -> Sequence[str]:
    """The dotted names that a module imports, whether modules or what is in them. module: its own dotted name."""
    found: list[str] = []
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found += [one.name for one in names]
            case ast.ImportFrom(module=source, names=names, level=level):
                base = module.split(".")[:-level] if level else []
                whole = ".".join([*base, *([source] if source else [])])
                found += [whole, *(f"{whole}.{one.name}" for one in names)]
            case _:
                pass
    return list(dict.fromkeys(found))


def _site_of(program: Program, call: ast.Call, file: str) -> CallSite | None:
    if call in program.compensations:
        return CallSite("Step", _named(program, call, program.compensations[call]), file, call.lineno)
    operation = program.operations.get(call)
    method = call.func.attr if operation is None and isinstance(call.func, ast.Attribute) else "" if operation is None else operation.method
    if method not in SUB_TYPES:
        return None
    body = argument(call, *_BODY[method]) if method in _BODY else None
    name = _named(program, call, body, is_nameless=method not in _BODY)
    if name is None and method in _INSTEAD:
        name = _INSTEAD[method]
    is_sure = operation is not None and operation.kind.dialect.package == "everstep"
    return CallSite(SUB_TYPES[method], name, file, call.lineno, is_sure)


def _named(program: Program, call: ast.Call, body: ast.expr | None, *, is_nameless: bool = False) -> str | None:
    """is_nameless: without a function whose name it could take."""
    if any(given.arg is None for given in call.keywords):  # **options
        return _ANYTHING
    given = next((one.value for one in call.keywords if one.arg == "name"), None)
    if given is not None and not (isinstance(given, ast.Constant) and given.value is None):
        return _pattern(given)
    if is_nameless:
        return None
    return _ANYTHING if body is None else _name_of(program, body)


def _pattern(name: ast.expr) -> str | None:
    match name:
        case ast.Constant(value=str(text)):
            return re.escape(text) or None
        case ast.JoinedStr(values=parts):
            return "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else _ANYTHING for part in parts)
        case _:
            return _ANYTHING


def _name_of(program: Program, body: ast.expr) -> str | None:
    """The `__name__` of a function."""
    if isinstance(body, ast.Lambda):
        return None
    defined = program.functions.definitions(body)
    if defined:
        names = {None if isinstance(one, ast.Lambda) else one.name for one in defined}
        decorated = any(not isinstance(one, ast.Lambda) and one.decorator_list for one in defined)
        only = names.pop() if len(names) == 1 else ""
        return _ANYTHING if decorated or only == "" else None if only is None else re.escape(only)
    qualified = program.module.qualified(body)
    if qualified is not None:
        return re.escape(qualified.rpartition(".")[2])
    return re.escape(body.attr) if isinstance(body, ast.Attribute) else _ANYTHING
