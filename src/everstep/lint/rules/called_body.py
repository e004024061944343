"""EVS021: a body that is called instead of given."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from everstep.lint.dialects import Runs
from everstep.lint.functions import argument, name_of
from everstep.lint.program import Program
from everstep.lint.rule import Report, Rule


def check(program: Program) -> Iterator[Report]:
    for call, operation in program.operations.items():
        takes = operation.kind.dialect.operations.get(operation.method)
        if takes is None or takes.runs is Runs.AS_CHILDREN:
            continue
        given = argument(call, takes.place, takes.name)
        if isinstance(given, ast.Call) and program.functions.gives_coroutine(given):
            name = name_of(program.functions.called(given)[0])
            yield Report(
                given,
                f"`{operation.written}` is given what `{name}(…)` returns, a coroutine; it takes the function and calls it itself, "
                f"for each attempt anew: write `{operation.written}({name}, …)`, with the arguments behind it",
            )


RULE: Final = Rule("EVS021", "called-body", "an operation is given a coroutine instead of a function", check)
