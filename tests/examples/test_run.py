"""The helper that runs examples: its clock, and its command line."""

from __future__ import annotations

import sys
import time
from datetime import timedelta

import pytest
from examples.run import Answer, play, run, tell

from everstep import DurableContext, durable


async def invite(callback_id: str, guest: str) -> None:
    await tell(guest, callback_id)


@durable
async def party(event: str, ctx: DurableContext) -> str:
    await ctx.wait(timedelta(days=2), name="planning")
    return await ctx.wait_for_callback(invite, event, returns=str)


def test_a_program_prints_its_result_and_how_long_it_took(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["party"])

    run(party, "Ada", answers={"Ada": Answer("I'll come", after=timedelta(hours=5))})

    assert capsys.readouterr().out == "I'll come\n(after 2 days, 5:00:00)\n"


def test_a_program_prints_what_was_recorded(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["party", "--history"])

    run(party, "Ada", answers={"Ada": Answer(error=ValueError("I can't"))})

    assert capsys.readouterr().out.splitlines() == [
        "             0:00:00  Wait planning",
        "     2 days, 0:00:00  WaitForCallback invite",
        "     2 days, 0:00:00  Callback invite create callback id",
        "     2 days, 0:00:00  Step invite submitter",
        "FAILED: ValueError: I can't",
        "(after 2 days, 0:00:00)",
    ]


def test_a_program_can_run_in_real_time(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    @durable
    async def nap(event: None, ctx: DurableContext) -> str:
        await ctx.wait(1)
        return "awake"

    monkeypatch.setattr(sys, "argv", ["nap", "--real-time"])
    began = time.monotonic()

    run(nap, None)

    assert time.monotonic() - began >= 1
    assert capsys.readouterr().out == "awake\n(after 0:00:01)\n"


def test_a_long_result_is_printed_in_short(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    @durable
    async def talk(event: int, ctx: DurableContext) -> str:
        return "la" * event

    monkeypatch.setattr(sys, "argv", ["talk"])

    run(talk, 50_000)

    assert capsys.readouterr().out.splitlines()[0] == "la" * 500 + "… (100,000 characters)"


def test_somebody_who_answers_late_is_not_heard() -> None:
    @durable
    async def ask(event: None, ctx: DurableContext) -> str:
        return await ctx.wait_for_callback(invite, "Ada", returns=str, timeout=60)

    played = play(ask, None, answers={"Ada": Answer("here I am", after=timedelta(minutes=2))})

    assert played.failure is not None
    assert played.failure.error_type == "Callback.Timeout"
    assert round(played.took.total_seconds()) == 60
