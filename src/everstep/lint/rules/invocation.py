"""EVS013: decisions on what differs between the invocations of one execution."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Final

from everstep.lint.program import Program
from everstep.lint.rule import Report, Rule, reached
from everstep.lint.scopes import FunctionNode

_OF_LAMBDA: Final = frozenset({"aws_request_id", "get_remaining_time_in_millis", "log_stream_name"})
"""What differs of `ctx.lambda_context`; whether there is one does not."""


def check(program: Program) -> Iterator[Report]:
    for node, function, handling in program.code():
        match node:
            case ast.If(test=test, body=body, orelse=orelse):
                branches: Sequence[ast.AST] = [*body, *orelse]
            case ast.While(test=test, body=body):
                branches = body
            case ast.IfExp(test=test, body=then, orelse=otherwise):
                branches = [then, otherwise]
            case ast.Call() if node in program.operations:
                yield from _handed_on(program, node, reached(handling))
                continue
            case _:
                continue
        said = _differing(program, test)
        if said is not None and any(_decides(program, branch, function) for branch in branches):
            yield Report(
                test,
                f"which operations are called depends on {said}, which is another on a replay; the replay asks for operations that are not "
                f"recorded, or skips some that are: decide on the event and on results of operations{reached(handling)}",
            )


def _differing(program: Program, test: ast.expr) -> str | None:
    for part in ast.walk(test):
        one = program.module.value(part) if isinstance(part, ast.Name) else part
        for inside in ast.walk(one):
            match inside:
                case ast.Attribute(value=owner, attr="is_replaying") if (context := program.context(owner)) is not None:
                    return f"`{context.name}.is_replaying`"
                case ast.Attribute(value=ast.Attribute(value=owner, attr="lambda_context"), attr=attr) if attr in _OF_LAMBDA:
                    if (context := program.context(owner)) is not None:
                        return f"`{context.name}.lambda_context.{attr}`"
                case _:
                    pass
    return None


def _handed_on(program: Program, call: ast.Call, how: str) -> Iterator[Report]:
    """Arguments of operations: an attempt after a replay is given something else than the one before it."""
    for given in (*call.args, *(keyword.value for keyword in call.keywords)):
        said = _differing(program, given) if isinstance(given, ast.Attribute | ast.JoinedStr) else None
        if said is not None:
            yield Report(
                given,
                f"an operation is given {said}, which is another in each invocation: an attempt after a replay gets something else than "
                f"the one before it. Take what is the same for every attempt, the execution's ARN and the operation's id{how}",
            )


def _decides(program: Program, branch: ast.AST, function: FunctionNode) -> bool:
    return any(
        (isinstance(part, ast.Return | ast.Raise) and function in program.operating)
        or (isinstance(part, ast.Call) and program.runs_operations(part))
        for part in program.module.run_by(function, [branch])
    )


RULE: Final = Rule("EVS013", "invocation", "a decision is taken on what differs between invocations", check)
