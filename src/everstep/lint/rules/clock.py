"""EVS001: the clock."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from everstep.lint.forbidden import forbidden_calls
from everstep.lint.program import Handling, Program
from everstep.lint.rule import Report, Rule

_READS: Final = frozenset(
    f"{module}.{name}"
    for module, names in {
        "time": (
            *("asctime", "clock_gettime", "clock_gettime_ns", "ctime", "gmtime", "localtime", "monotonic", "monotonic_ns"),
            *("perf_counter", "perf_counter_ns", "process_time", "process_time_ns", "strftime", "thread_time", "thread_time_ns"),
            *("time", "time_ns"),
        ),
        "datetime": ("date.today", "datetime.now", "datetime.today", "datetime.utcnow"),
        "arrow": ("now", "utcnow"),
        "pendulum": ("now", "today", "tomorrow", "yesterday"),
        "django.utils.timezone": ("localdate", "localtime", "now"),
        "timeit": ("default_timer",),
    }.items()
    for name in names
)
_OF_A_TIME: Final = {"time.asctime": 0, "time.ctime": 0, "time.gmtime": 0, "time.localtime": 0, "time.strftime": 1}
"""Which argument makes the function one of a given time instead of now."""


def _is_of_a_time(call: ast.Call, name: str) -> bool:
    return (name in _OF_A_TIME and len(call.args) > _OF_A_TIME[name]) or (
        name.startswith("django.utils.timezone.local") and bool(call.args)
    )


def _says(name: str, context: str, handling: Handling) -> str:
    instead = (
        f"write `{context}.now()`, the time that the record has come to, or read the clock in a step"
        if handling.kind.dialect.has_substitutes
        else "read the clock in a step, which records it"
    )
    return f"handler code reads the clock with {name}(); a replay reads another time than the first run did: {instead}"


def check(program: Program) -> Iterator[Report]:
    yield from forbidden_calls(program, _READS, _says, unless=_is_of_a_time)


RULE: Final = Rule("EVS001", "clock", "the clock is read in handler code", check)
