"""Whatever is killed, everything ends once. `make soak` does the same with a hundred times as much."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.soak import soak
from tests.service.postgres import Server as Postgres

PAUSE_S = (0.2, 0.6)


@pytest.mark.timeout(120)
def test_executions_survive_the_deaths_of_a_server_on_sqlite_and_its_worker(tmp_path: Path) -> None:
    figures = soak("sqlite", tmp_path, None, executions=60, kills=3, seed=3, pause_s=PAUSE_S)

    assert figures["bodies"] >= 300


@pytest.mark.timeout(120)
def test_executions_survive_the_deaths_of_two_servers_their_workers_and_their_database(tmp_path: Path) -> None:
    postgres = Postgres()  # one of its own, to be killed
    try:
        figures = soak("postgres", tmp_path, postgres, executions=60, kills=4, seed=5, pause_s=PAUSE_S)
    finally:
        postgres.remove()

    assert figures["killed database"] > 0
