"""PURE. The scenarios, what a reader sees of each, and what is aimed at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Of(Enum):
    """What a figure is a multiple of, to be compared with a goal's bound."""

    NOTHING = ""
    PEER_ON_THE_STORE = "the best peer on the same store"
    ANY_PEER = "the best peer"
    STORE_ALONE = "the store's own rate of single-row commits"
    ONE_INSTANCE = "one instance"


@dataclass(frozen=True, slots=True)
class Goal:
    """Of our own systems' figure. Exactly one of at_least and at_most is given."""

    figure: str
    of: Of = Of.NOTHING
    at_least: float | None = None
    at_most: float | None = None

    @property
    def bound(self) -> float:
        bound = self.at_least if self.at_least is not None else self.at_most
        assert bound is not None
        return bound

    @property
    def is_more_better(self) -> bool:
        return self.at_least is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    name: str
    title: str
    note: str
    columns: dict[str, str]
    """Figure -> the head of its column, in order. A figure that nobody has is left out."""
    goals: tuple[Goal, ...]
    phases: tuple[str, ...] = ()
    """What an adapter runs, one process after the other; the name of the scenario if empty."""
    steps: int = 0
    """In the part whose processor time is noted."""
    limit_s: float = 60
    numbers: tuple[int, ...] = ()


CPU: Final = "cpu_ms/step"
_CPU = {CPU: "CPU ms a step"}

SCENARIOS: Final = (
    Scenario(
        name="sequential",
        title="1 execution of 1,000 steps",
        note="One after the other, each durable before the next begins. Everstep, DBOS and the local runner run in the process that asks; "
        "Absurd's worker too; Restate cannot. A store alone: rows of 300 bytes, one a commit, from one client.",
        columns={"steps/s": "steps/s", **_CPU},
        goals=(Goal("steps/s", Of.PEER_ON_THE_STORE, at_least=3), Goal("steps/s", Of.STORE_ALONE, at_least=0.5)),
        steps=1_000,
    ),
    Scenario(
        name="fan",
        title="500 executions of 5 steps, 50 at once",
        note="As above. Operations per commit: how many recorded operations one wait for the disk carries.",
        columns={"steps/s": "steps/s", "executions/s": "executions/s", **_CPU, "operations/commit": "operations per commit"},
        goals=(Goal("steps/s", Of.PEER_ON_THE_STORE, at_least=4), Goal("operations/commit", at_least=8)),
        steps=2_500,
    ),
    Scenario(
        name="apart",
        title="The same through a server, with workers in processes of their own",
        note="Everstep: HTTP servers, each with a worker that pulls over HTTP; Restate: its server, which calls a service over HTTP; the "
        "local runner: its web server, which invokes over HTTP. DBOS and Absurd have no server: callers and workers meet in the database, "
        "and instances are processes with workers. *Empty*: from start to result of an execution that does nothing, one after the other.",
        columns={
            "steps/s": "steps/s",
            "executions/s": "executions/s",
            **_CPU,
            "p50_ms": "empty p50 ms",
            "p99_ms": "empty p99 ms",
        },
        goals=(
            Goal("steps/s", Of.ANY_PEER, at_least=2),
            Goal("steps/s", Of.ONE_INSTANCE, at_least=1),
            Goal("p50_ms", Of.ANY_PEER, at_most=0.5),
            Goal("p99_ms", Of.ANY_PEER, at_most=0.5),
        ),
        steps=2_500,
        limit_s=180,
    ),
    Scenario(
        name="empty",
        title="An empty execution, embedded: start to result",
        note="One after the other, in the process that asks.",
        columns={"p50_ms": "p50 ms", "p99_ms": "p99 ms"},
        goals=(Goal("p50_ms", at_most=1), Goal("p99_ms", at_most=5)),
    ),
    Scenario(
        name="restart",
        title="Going on after a restart, with an execution of 1,000 steps open",
        note="From the start of the service in a new process to the body of step 1,002; importing it does not count. On PostgreSQL, "
        "Everstep sees that the process that died on the same machine is gone; Absurd waits for its lease, here of 5 s. DBOS has the "
        "same executor name again. Of Restate the server and the service have ended, and the service is up again when the server starts. "
        "The local runner cannot go on.",
        columns={"to_go_on_ms": "ms"},
        goals=(Goal("to_go_on_ms", at_most=100),),
        phases=("dying", "restarted"),
    ),
    Scenario(
        name="late",
        title="A step among the first, and one of the last before the limit of 3,000 operations",
        note="Median µs from one step's body to the next's. Size: of the database after 2,950 steps with tiny results, whatever it has "
        "for itself included (PostgreSQL: less what a new database has).",
        columns={"step_10_us": "step 10, µs", "step_2900_us": "step 2,900, µs", "ratio": "ratio", "bytes/step": "bytes a step"},
        goals=(Goal("ratio", at_most=1.2), Goal("bytes/step", at_most=600)),
    ),
    Scenario(
        name="asleep",
        title="100,000 executions asleep",
        note="Memory: by how much the process has grown for each, when nothing else runs. Then a new process opens the store, and 200 "
        "executions more sleep a second each: how late their waits end.",
        columns={
            "bytes_each": "bytes of memory each",
            "put_to_sleep/s": "put to sleep a second",
            "open_ms": "start, ms",
            "late_p50_ms": "late p50 ms",
            "late_p99_ms": "late p99 ms",
        },
        goals=(Goal("bytes_each", at_most=1_024), Goal("late_p99_ms", at_most=200), Goal("open_ms", at_most=2_000)),
        phases=("asleep", "awaking"),
        limit_s=900,
        numbers=(100_000,),
    ),
)
