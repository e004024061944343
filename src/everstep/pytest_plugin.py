"""The pytest plugin: fixtures and one option.

Rule: it is loaded into every pytest run of whoever has Everstep installed, so it imports the kit when a fixture is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from everstep.testing import AsyncRunner, RecordedExecution, Runner


class HistorySnapshot(Protocol):
    """Compares an execution's history with a file beside the test. name: tells several of one test apart."""

    def __call__(self, execution: RecordedExecution[object], name: str = "") -> None: ...


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("everstep").addoption(
        "--everstep-update-snapshots", action="store_true", default=False, help="Write the histories that history_snapshot compares with."
    )


@pytest.fixture
def durable_runner() -> Iterator[Runner]:
    """Runs durable handlers in virtual time."""
    from everstep.testing import Runner

    with Runner() as runner:
        yield runner


@pytest.fixture
def async_durable_runner() -> AsyncRunner:
    """Runs durable handlers in virtual time, for `async def` tests."""
    from everstep.testing import AsyncRunner

    return AsyncRunner()


@pytest.fixture
def history_snapshot(request: pytest.FixtureRequest) -> HistorySnapshot:
    """`history_snapshot(execution)` fails if the execution's history is another than the one that is kept beside the test."""
    is_updated = bool(request.config.getoption("--everstep-update-snapshots"))
    directory = request.path.parent / "__snapshots__" / request.path.stem
    test = re.sub(r"[^\w-]+", "-", request.node.name).strip("-")

    def check(execution: RecordedExecution[object], name: str = "") -> None:
        from everstep.testing.snapshots import compare

        __tracebackhide__ = True
        compare(execution, directory / f"{test}{f'-{name}' if name else ''}.json", is_updated=is_updated)

    return check
