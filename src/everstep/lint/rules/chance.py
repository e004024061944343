"""EVS002: chance."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from everstep.lint.forbidden import forbidden_calls
from everstep.lint.program import Handling, Program
from everstep.lint.rule import Report, Rule, reached

_DRAWS: Final = frozenset(
    {"os.getrandom", "os.urandom", "random.Random", "random.SystemRandom", "secrets.*", "numpy.random.*"}
    | {
        f"random.{name}"
        for name in (
            *("betavariate", "binomialvariate", "choice", "choices", "expovariate", "gammavariate", "gauss", "getrandbits"),
            *("lognormvariate", "normalvariate", "paretovariate", "randbytes", "randint", "random", "randrange", "sample", "seed"),
            *("shuffle", "triangular", "uniform", "vonmisesvariate", "weibullvariate"),
        )
    }
)
_SEEDED: Final = frozenset({"random.Random", "numpy.random.default_rng", "numpy.random.Generator", "numpy.random.RandomState"})
_SECRET: Final = ("secrets.", "os.", "random.SystemRandom")
_NOT_CHANCE: Final = frozenset({"secrets.compare_digest"})


def _is_seeded(call: ast.Call, name: str) -> bool:
    return name in _NOT_CHANCE or (name in _SEEDED and bool(call.args or call.keywords))


def _says(name: str, context: str, handling: Handling) -> str:
    if name.startswith(_SECRET) or not handling.kind.dialect.has_substitutes:
        instead = "draw it in a step, which records it"
    else:
        instead = f"draw from `{context}.random()`, which is the same on every replay, or in a step"
    return f"handler code draws at random with {name}(); a replay draws something else: {instead}"


def check(program: Program) -> Iterator[Report]:
    yield from forbidden_calls(program, _DRAWS, _says, unless=_is_seeded)
    for call, _, handling in program.calls():
        if program.module.qualified(call.func) == "builtins.hash" and len(call.args) == 1 and _is_text(program, call.args[0]):
            yield Report(
                call,
                "handler code takes the hash() of a text, which is another in each process: take one that is not, such as "
                f"zlib.crc32(text.encode()){reached(handling)}",
            )


def _is_text(program: Program, node: ast.expr) -> bool:
    match node:
        case ast.JoinedStr() | ast.Constant(value=str() | bytes()):
            return True
        case ast.Call(func=func):
            return program.module.qualified(func) == "builtins.str"
        case ast.Name():
            one = program.module.binding(node)
            annotation = one.node.annotation if one is not None and isinstance(one.node, ast.arg) else None
            return annotation is not None and program.module.qualified(annotation) == "builtins.str"
        case _:
            return False


RULE: Final = Rule("EVS002", "chance", "something is drawn at random in handler code", check)
