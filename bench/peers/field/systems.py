"""PURE. What is measured: each system on each store, in which environment, by which adapter, and what it takes part in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Store = Literal["SQLite", "PostgreSQL", "its own", "memory"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What a system needs installed. pip: requirements of a virtual environment; npm: packages beside it."""

    pip: tuple[str, ...]
    npm: tuple[str, ...] = ()
    shows: tuple[str, ...] = ()
    """The packages whose versions a reader wants to know."""


ENVIRONMENTS: Final[Mapping[str, Environment]] = {
    "everstep": Environment(pip=(".[server,postgres]", "psycopg[binary]>=3.2"), shows=("everstep",)),
    "dbos": Environment(pip=("dbos==3.4.*", "psycopg[binary]>=3.2", "pysqlite3-binary; python_version>='3.12'"), shows=("dbos",)),
    "absurd": Environment(pip=("absurd-sdk==0.5.*", "absurdctl==0.5.*", "psycopg[binary]>=3.2"), shows=("absurd-sdk",)),
    "runner": Environment(
        pip=("aws-durable-execution-sdk-python==3.0.0", "aws-durable-execution-sdk-python-testing==1.4.0", "boto3"),
        shows=("aws-durable-execution-sdk-python-testing", "aws-durable-execution-sdk-python"),
    ),
    "restate": Environment(
        pip=("restate-sdk==1.3.*", "hypercorn"),
        npm=("@restatedev/restate-server@1.7",),
        shows=("restate-sdk", "@restatedev/restate-server"),
    ),
}

EMBEDDED: Final = frozenset({"sequential", "fan", "empty", "restart", "late"})


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    name: str
    title: str
    store: Store
    environment: str
    adapter: tuple[str, ...]
    """A module to run, and the arguments before the child's name."""
    scenarios: frozenset[str]
    instances: int = 1
    is_ours: bool = False
    is_peer: bool = True
    """Compared with. Not what keeps nothing on a disk, nor a store that runs nothing."""
    children: Mapping[str, str] = field(default_factory=dict[str, str])
    """The adapter's names for phases, where it has its own."""

    @property
    def is_alone(self) -> bool:
        """A store without a service."""
        return self.environment == "everstep" and not self.is_ours

    @property
    def is_other(self) -> bool:
        return self.environment != "everstep"

    @property
    def label(self) -> str:
        if self.is_alone:
            return f"{self.store} alone"
        parts = [
            self.title,
            *([] if self.store == "its own" else [self.store]),
            *([f"{self.instances} instances"] if self.instances > 1 else []),
        ]
        return ", ".join(parts)


def _everstep(name: str, store: Store, scenarios: frozenset[str], instances: int = 1) -> System:
    return System(
        name=name,
        title="Everstep",
        store=store,
        environment="everstep",
        adapter=("bench.service", "--child"),
        scenarios=scenarios,
        instances=instances,
        is_ours=True,
        is_peer=False,
        children={"apart": "over_http"},
    )


def _peer(name: str, title: str, store: Store, scenarios: frozenset[str], instances: int = 1, *, is_peer: bool = True) -> System:
    environment = name.partition("-")[0]
    return System(
        name=name,
        title=title,
        store=store,
        environment=environment,
        adapter=(f"bench.peers.field.with_{environment}",),
        scenarios=scenarios,
        instances=instances,
        is_peer=is_peer,
    )


def _alone(name: str, store: Store) -> System:
    return System(
        name=name,
        title="none",
        store=store,
        environment="everstep",
        adapter=("bench.peers.field.with_nothing",),
        scenarios=frozenset({"sequential"}),
        is_peer=False,
    )


_RUNNER = "AWS's local runner"
_APART = frozenset({"apart"})

SYSTEMS: Final = (
    _everstep("everstep-sqlite", "SQLite", EMBEDDED | _APART | {"asleep"}),
    _everstep("everstep-pg", "PostgreSQL", EMBEDDED | _APART | {"asleep"}),
    _everstep("everstep-pg-2", "PostgreSQL", _APART, 2),
    _peer("dbos-sqlite", "DBOS", "SQLite", EMBEDDED | _APART),
    _peer("dbos-pg", "DBOS", "PostgreSQL", EMBEDDED | _APART),
    _peer("dbos-pg-2", "DBOS", "PostgreSQL", _APART, 2),
    _peer("absurd-pg", "Absurd", "PostgreSQL", EMBEDDED | _APART),
    _peer("absurd-pg-2", "Absurd", "PostgreSQL", _APART, 2),
    _peer("restate", "Restate", "its own", frozenset({"sequential", "fan", "restart", "late", "apart"})),
    _peer("runner-sqlite", _RUNNER, "SQLite", frozenset({"sequential", "fan", "empty", "apart"})),
    _peer("runner-memory", _RUNNER, "memory", frozenset({"sequential", "fan", "empty", "late", "apart"}), is_peer=False),
    _alone("sqlite", "SQLite"),
    _alone("pg", "PostgreSQL"),
)
