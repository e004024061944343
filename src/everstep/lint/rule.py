"""What a rule is, and what it says.

Rule: a rule is a function of a program and knows no other rule. It speaks of handler code in the words of docs/lint-rules.md,
where its examples are its tests.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from everstep.lint.program import Handling, Program


@dataclass(frozen=True, slots=True)
class Report:
    """The node that a rule speaks of, and what it says: what is there, what a replay makes of it, and what to write instead."""

    node: ast.expr | ast.stmt | ast.excepthandler
    message: str


@dataclass(frozen=True, slots=True)
class Rule:
    """id: for selecting and allowing; name: for people; summary: what it reports, in a few words."""

    id: str
    name: str
    summary: str
    check: Callable[[Program], Iterator[Report]]


def reached(handling: Handling) -> str:
    """How handler code comes to a function, for the end of a message; nothing if it is the handler itself."""
    if not handling.through:
        return ""
    return f" (`{handling.name}` calls `{'`, which calls `'.join(handling.through)}`)"
