"""EVS003: identifiers that are made up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from everstep.lint.forbidden import forbidden_calls
from everstep.lint.program import Handling, Program
from everstep.lint.rule import Report, Rule

_MADE_UP: Final = frozenset(
    {"uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7", "uuid.getnode", "ulid.ULID", "ulid.new", "nanoid.generate", "shortuuid.uuid"}
)


def _says(name: str, context: str, handling: Handling) -> str:
    instead = (
        f"write `{context}.uuid4()`, which is the same on every replay, or make it in a step"
        if handling.kind.dialect.has_substitutes
        else "make it in a step, which records it"
    )
    return f"handler code makes up an identifier with {name}(); a replay makes up another: {instead}"


def check(program: Program) -> Iterator[Report]:
    yield from forbidden_calls(program, _MADE_UP, _says)


RULE: Final = Rule("EVS003", "ids", "a random identifier is made in handler code", check)
