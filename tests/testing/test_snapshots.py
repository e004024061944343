"""Histories that are compared with files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest_plugins = ("pytester",)

TEST = """
from everstep import DurableContext

async def body():
    return {value!r}

async def handler(event, ctx: DurableContext):
    await ctx.wait(60)
    return await ctx.step(body)

def test_a_handler(durable_runner, history_snapshot):
    history_snapshot(durable_runner.run(handler, None), "calm")
"""
SNAPSHOT = Path("__snapshots__", "test_it", "test_a_handler-calm.json")


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(test_it=TEST.format(value=1))
    return pytester


def test_a_snapshot_is_written_on_request_and_then_compared(project: pytest.Pytester) -> None:
    project.runpytest_inprocess().stdout.fnmatch_lines(["*there is no snapshot *run pytest with --everstep-update-snapshots to write it"])
    project.runpytest_inprocess("--everstep-update-snapshots").assert_outcomes(passed=1)
    project.runpytest_inprocess().assert_outcomes(passed=1)

    project.makepyfile(test_it=TEST.format(value=2))
    project.runpytest_inprocess().stdout.fnmatch_lines(
        ["*the history is another than in *", '*-*StepSucceeded*"1"*', '*+*StepSucceeded*"2"*']
    )


def test_a_snapshot_is_a_history_as_the_service_answers_it(project: pytest.Pytester) -> None:
    project.runpytest_inprocess("--everstep-update-snapshots")

    history = json.loads((project.path / SNAPSHOT).read_text())

    assert [event["EventType"] for event in history["Events"]][:3] == ["ExecutionStarted", "WaitStarted", "InvocationCompleted"]
    assert isinstance(history["Events"][0]["EventTimestamp"], float)


def test_a_file_that_is_no_history_is_not_taken_for_one(project: pytest.Pytester) -> None:
    (project.path / SNAPSHOT).parent.mkdir(parents=True)
    (project.path / SNAPSHOT).write_text("[]")

    project.runpytest_inprocess().stdout.fnmatch_lines(["*the snapshot is no history*"])
