"""The SDKs whose code is understood, as data: what makes a handler, a context, an operation.

Rule: names only; what they mean for a module is found out in `program`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final


class Runs(Enum):
    """What an operation does with a function that it is given."""

    AS_STEP = auto()
    AS_CHILD = auto()
    AS_CHILDREN = auto()  # a collection of functions


@dataclass(frozen=True, slots=True)
class Takes:
    """An argument of an operation that is a function: its place, its name, and how it is run."""

    place: int
    name: str
    runs: Runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """An SDK. Names are dotted; where a public name may be imported from several modules, each is listed.

    handlers: decorators of handlers, whose second parameter is the context. contexts: classes of contexts, and whether their
    operations are awaited. operations: methods of a context; functions: of the SDK, whose first argument is a context.
    steps, children: decorators after which a *call* of the function is what an operation is given.
    """

    package: str
    handlers: frozenset[str]
    contexts: Mapping[str, bool]
    operations: Mapping[str, Takes | None]
    functions: Mapping[str, Takes] = field(default_factory=dict[str, Takes])
    steps: frozenset[str] = frozenset()
    children: frozenset[str] = frozenset()
    has_substitutes: bool = False
    """Whether a context has now(), uuid4() and random()."""


EVERSTEP: Final = Dialect(
    package="everstep",
    handlers=frozenset({"everstep.durable", "everstep.handler.durable", "everstep.DurableHandler", "everstep.handler.DurableHandler"}),
    contexts={
        "everstep.DurableContext": True,
        "everstep.context.DurableContext": True,
        "everstep.SyncContext": False,
        "everstep.synchronous.SyncContext": False,
    },
    operations={
        "all": None,
        "all_settled": None,
        "any": None,
        "create_callback": None,
        "invoke": None,
        "map": Takes(1, "body", Runs.AS_CHILD),
        "map_batches": Takes(1, "body", Runs.AS_CHILD),
        "parallel": Takes(0, "branches", Runs.AS_CHILDREN),
        "race": None,
        "recurse": None,
        "run_in_child_context": Takes(0, "body", Runs.AS_CHILD),
        "select": None,
        "step": Takes(0, "body", Runs.AS_STEP),
        "wait": None,
        "wait_for_callback": Takes(0, "submitter", Runs.AS_STEP),
        "wait_for_condition": Takes(0, "check", Runs.AS_STEP),
        "wait_until": None,
        "with_retry": Takes(0, "body", Runs.AS_CHILD),
    },
    has_substitutes=True,
)

_OFFICIAL: Final = "aws_durable_execution_sdk_python"

OFFICIAL: Final = Dialect(
    package=_OFFICIAL,
    handlers=frozenset({f"{_OFFICIAL}.durable_execution", f"{_OFFICIAL}.execution.durable_execution"}),
    contexts={
        f"{_OFFICIAL}.DurableContext": False,
        f"{_OFFICIAL}.context.DurableContext": False,
        f"{_OFFICIAL}.types.DurableContext": False,
    },
    operations={
        "create_callback": None,
        "invoke": None,
        "map": Takes(1, "func", Runs.AS_CHILD),
        "parallel": Takes(0, "functions", Runs.AS_CHILDREN),
        "run_in_child_context": Takes(0, "func", Runs.AS_CHILD),
        "step": Takes(0, "func", Runs.AS_STEP),
        "wait": None,
        "wait_for_callback": Takes(0, "submitter", Runs.AS_STEP),
        "wait_for_condition": Takes(0, "check", Runs.AS_STEP),
    },
    functions={f"{module}.with_retry": Takes(1, "func", Runs.AS_CHILD) for module in (_OFFICIAL, f"{_OFFICIAL}.retries")},
    steps=frozenset(
        f"{module}.{name}" for module in (_OFFICIAL, f"{_OFFICIAL}.context") for name in ("durable_step", "durable_wait_for_callback")
    ),
    children=frozenset(
        f"{module}.{name}"
        for module in (_OFFICIAL, f"{_OFFICIAL}.context")
        for name in ("durable_with_child_context", "durable_parallel_branch")
    ),
)

DIALECTS: Final = (EVERSTEP, OFFICIAL)
