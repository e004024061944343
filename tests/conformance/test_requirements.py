"""Every third requirement of the published suite, against handlers in the server's process. `make conformance` runs them all."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import pytest

from tests.conformance.homes import mapping
from tests.conformance.run import Result, run
from tests.conformance.suite import BUILD, HARNESS, known_wheel

LONG: Final = frozenset({"1-13", "1-14", "4-11", "4-17", "4-18", "4-19", "7-9", "7-13"})
"""They wait for more than a few seconds."""


def _order(requirement: str) -> tuple[int, ...]:
    return tuple(int(part) for part in requirement.split("-"))


THIRD: Final = [one for one in sorted(mapping(), key=_order)[::3] if one not in LONG]


@pytest.fixture(scope="module")
def results() -> Mapping[str, Result]:
    if not HARNESS.is_dir():
        pytest.skip(f"there is no conformance harness at {HARNESS}: set EVERSTEP_CONFORMANCE to the directory of run_conformance.py")
    if known_wheel() is None:
        pytest.skip("the conformance suite is not here: `python -m tests.conformance.suite` downloads it, as `make test` does")
    outcome = asyncio.run(run("in-process", "sqlite", ["--only", *THIRD], BUILD / "third"))
    return {result.id: result for result in outcome.results}


@pytest.mark.parametrize("requirement", THIRD)
def test_a_requirement_is_met(results: Mapping[str, Result], requirement: str) -> None:
    result = results[requirement]

    assert result.status == "PASSED", "\n".join([result.description, *result.errors])
