"""The page of the peers benchmark: it judges by what was measured, and says what was not."""

from __future__ import annotations

from pathlib import Path

from bench.peers.field.page import Failed, Measured, Results, page, table, verdicts
from bench.peers.field.scenarios import SCENARIOS
from bench.peers.sections import write_section

SEQUENTIAL = next(scenario for scenario in SCENARIOS if scenario.name == "sequential")
APART = next(scenario for scenario in SCENARIOS if scenario.name == "apart")


def sequential(**rates: float) -> Results:
    return {("sequential", name.replace("_", "-")): Measured({"steps/s": rate}, runs=3) for name, rate in rates.items()}


def test_a_goal_is_judged_by_the_best_peer_on_the_same_store() -> None:
    results = sequential(everstep_pg=1_200, dbos_pg=300, absurd_pg=400, dbos_sqlite=1_100)

    (verdict,) = verdicts(SEQUENTIAL, results)

    assert (verdict.value, verdict.is_met) == (3, True)
    assert verdict.beside == "the best peer on the same store (Absurd, PostgreSQL)"


def test_what_keeps_nothing_is_shown_but_no_goal_is_judged_by_it() -> None:
    results = sequential(everstep_sqlite=1_000, runner_memory=900, runner_sqlite=20)

    (verdict,) = verdicts(SEQUENTIAL, results)

    assert verdict.value == 50
    assert "AWS's local runner, memory | 900" in table(SEQUENTIAL, results)


def test_where_less_is_better_the_best_peer_is_the_one_with_least() -> None:
    def latency(p50: float) -> Measured:
        return Measured({"p50_ms": p50}, runs=3)

    results: Results = {("apart", "everstep-sqlite"): latency(3), ("apart", "restate"): latency(4), ("apart", "dbos-pg"): latency(40)}

    (verdict,) = verdicts(APART, results)

    assert (verdict.value, verdict.is_met) == (0.75, False)


def test_a_peer_that_could_not_be_installed_has_a_row_that_says_so() -> None:
    results: Results = {**sequential(everstep_pg=1_200), ("sequential", "absurd-pg"): Failed("could not be installed: no such version")}

    written = page(results, "A machine.", [])

    assert "| Absurd, PostgreSQL | could not be installed: no such version |" in written
    assert "best peer" not in written


def test_a_section_replaces_itself_and_leaves_the_others(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    write_section("sdk", "of the SDK", path)
    write_section("service", "of the service", path)
    before = path.read_text()

    write_section("sdk", "of the SDK again", path)

    assert path.read_text() == before.replace("of the SDK", "of the SDK again")
