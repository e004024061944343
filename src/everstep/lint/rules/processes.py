"""EVS007: other processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from everstep.lint.forbidden import forbidden_calls
from everstep.lint.program import Handling, Program
from everstep.lint.rule import Report, Rule

_STARTS: Final = frozenset(
    {"asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell"}
    | {f"subprocess.{name}" for name in ("Popen", "call", "check_call", "check_output", "getoutput", "getstatusoutput", "run")}
    | {f"os.{name}" for name in ("abort", "fork", "forkpty", "kill", "killpg", "popen", "posix_spawn", "posix_spawnp", "system", "_exit")}
    | {f"os.{verb}{how}" for verb in ("exec", "spawn") for how in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")}
)


def _says(name: str, context: str, handling: Handling) -> str:
    return f"handler code deals with processes by {name}(); every replay does so again: do it in a step, which runs once"


def check(program: Program) -> Iterator[Report]:
    yield from forbidden_calls(program, _STARTS, _says)


RULE: Final = Rule("EVS007", "processes", "handler code starts or signals a process", check)
