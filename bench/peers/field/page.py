"""PURE. The page: for each scenario a table of all systems, and which goals are met."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bench.peers.field.scenarios import CPU, SCENARIOS, Goal, Of, Scenario
from bench.peers.field.systems import SYSTEMS, System


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians over so many runs."""

    figures: Mapping[str, float]
    runs: int


@dataclass(frozen=True, slots=True)
class Failed:
    why: str


TIMES: Final = " ×"  # noqa: RUF001  # the multiplication sign is meant

Results = Mapping[tuple[str, str], Measured | Failed]
"""By scenario and system."""


@dataclass(frozen=True, slots=True)
class Verdict:
    system: System
    goal: Goal
    value: float
    beside: str
    """What the value is a multiple of, if it is."""
    cpu: float | None = None
    """What that used of the processors, as a multiple of what ours did."""

    @property
    def is_met(self) -> bool:
        return self.value >= self.goal.bound if self.goal.is_more_better else self.value <= self.goal.bound


def figure_of(results: Results, scenario: Scenario, system: System, figure: str) -> float | None:
    match results.get((scenario.name, system.name)):
        case Measured(figures):
            return figures.get(figure)
        case _:
            return None


def verdicts(scenario: Scenario, results: Results) -> list[Verdict]:
    """Of the goals that can be judged by what was measured."""
    found: list[Verdict] = []
    for goal in scenario.goals:
        for system in SYSTEMS:
            ours = figure_of(results, scenario, system, goal.figure) if system.is_ours else None
            if ours is None:
                continue
            if goal.of is Of.NOTHING:
                found.append(Verdict(system, goal, ours, ""))
                continue
            beside = _compared(scenario, results, goal, system)
            if beside is not None:
                other, value = beside
                what = f"{goal.of.value} ({other.label})" if other.is_peer else goal.of.value
                mine, theirs = (figure_of(results, scenario, each, CPU) for each in (system, other))
                cpu = theirs / mine if mine and theirs and goal.is_more_better else None
                found.append(Verdict(system, goal, ours / value, what, cpu))
    return found


def _compared(scenario: Scenario, results: Results, goal: Goal, ours: System) -> tuple[System, float] | None:
    """The system that a goal is about, and its figure: the best of those that qualify."""

    def qualifies(other: System) -> bool:
        match goal.of:
            case Of.PEER_ON_THE_STORE:
                return other.is_peer and other.store == ours.store
            case Of.ANY_PEER:
                return other.is_peer
            case Of.STORE_ALONE:
                return other.is_alone and other.store == ours.store
            case Of.ONE_INSTANCE:
                return other.is_ours and other.store == ours.store and other.instances == 1 < ours.instances
            case Of.NOTHING:
                return False

    seen = [
        (other, value)
        for other in SYSTEMS
        if qualifies(other) and (value := figure_of(results, scenario, other, goal.figure)) is not None and value > 0
    ]
    return (max if goal.is_more_better else min)(seen, key=lambda each: each[1], default=None)


def number(value: float) -> str:
    if math.isnan(value):
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(scenario: Scenario, results: Results) -> str:
    rows = [(system, results[scenario.name, system.name]) for system in SYSTEMS if (scenario.name, system.name) in results]
    shown = {
        figure: head
        for figure, head in scenario.columns.items()
        if any(isinstance(cell, Measured) and figure in cell.figures for _, cell in rows)
    }
    lines = [f"| | {' | '.join(shown.values())} | runs |", f"|---|{'--:|' * (len(shown) + 1)}"]
    for system, cell in rows:
        label = f"**{system.label}**" if system.is_ours else system.label
        match cell:
            case Measured(figures, runs):
                lines.append(f"| {label} | {' | '.join(number(figures.get(figure, math.nan)) for figure in shown)} | {runs} |")
            case Failed(why):
                lines.append(f"| {label} | {why} |{' |' * len(shown)}")
    return "\n".join(lines)


def goal_lines(scenario: Scenario, results: Results) -> str:
    judged = verdicts(scenario, results)
    if not judged:
        return ""
    has_cpu = any(verdict.cpu for verdict in judged)
    lines = ["| goal | | here | |" + " their CPU ÷ ours |" * has_cpu, "|---|---|--:|---|" + "--:|" * has_cpu]
    for verdict in judged:
        goal, times = verdict.goal, TIMES if verdict.beside else ""
        what = f"{scenario.columns[goal.figure]} {'≥' if goal.is_more_better else '≤'} {goal.bound:g}{times} {verdict.beside}".rstrip()
        met = "met" if verdict.is_met else "**missed**"
        cpu = f" {number(verdict.cpu) + TIMES if verdict.cpu else ''} |" * has_cpu
        lines.append(f"| {what} | {verdict.system.label} | {number(verdict.value)}{times} | {met} |{cpu}")
    return "\n".join(lines)


def page(results: Results, conditions: str, durability: Sequence[tuple[str, str, float]]) -> str:
    """conditions: machine, versions, settings. durability: system, how it was told to sync, syncs per step."""
    judged = [verdict for scenario in SCENARIOS for verdict in verdicts(scenario, results)]
    how = (
        f"{conditions}\n\nMedians of runs in fresh processes on a fresh store; systems take turns, run by run. CPU is of all "
        "processes: caller, workers, servers, PostgreSQL. AWS's local runner "
        "in memory keeps nothing, so no goal is measured by it. "
        f"Goals met: {sum(verdict.is_met for verdict in judged)} of {len(judged)}. Written by `make bench-peers-service`."
    )
    parts = ["## The service beside the field", how]
    for scenario in SCENARIOS:
        if any(name == scenario.name for name, _ in results):
            parts += [f"### {scenario.title}", scenario.note, table(scenario, results)]
            parts += [goals] if (goals := goal_lines(scenario, results)) else []
    if durability:
        counted = (
            "How often each makes the system write through to the disk (fsync or fdatasync) for one step more of an execution with nothing "
            "beside it: counted by PostgreSQL itself (`pg_stat_io`, of the WAL), elsewhere by strace, over 100 steps."
        )
        rows = (f"| {label} | {told} | {number(syncs)} |" for label, told, syncs in durability)
        parts += ["### That all of them wait for the disk", counted, "\n".join(["| | settings | syncs a step |", "|---|---|--:|", *rows])]
    return "\n\n".join(parts) + "\n"
