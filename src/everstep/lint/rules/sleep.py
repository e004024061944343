"""EVS008: sleeping."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from everstep.lint.forbidden import forbidden_calls
from everstep.lint.program import Handling, Program
from everstep.lint.rule import Report, Rule

_SLEEPS: Final = frozenset({"time.sleep", "gevent.sleep", "eventlet.sleep"})


def _says(name: str, context: str, handling: Handling) -> str:
    instead = f"`await {context}.wait(…)` or `await asyncio.sleep(…)`" if handling.kind.is_awaited else f"`{context}.wait(…)`"
    return (
        f"handler code sleeps with {name}(); it holds compute meanwhile, and every replay sleeps again: write {instead}, which is durable"
    )


def check(program: Program) -> Iterator[Report]:
    yield from forbidden_calls(program, _SLEEPS, _says)


RULE: Final = Rule("EVS008", "sleep", "handler code sleeps instead of waiting", check)
