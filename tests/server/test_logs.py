"""Logs of functions in the server's process."""

from __future__ import annotations

import json
from pathlib import Path

from everstep import DurableContext, durable
from everstep.server.logs import logging_to
from tests.server.running import Lambda, declared, payload_of, running, text_of

HERE = __name__


@durable
async def talkative(event: str, ctx: DurableContext) -> str:
    async def say(word: str) -> str:
        ctx.logger.info("step: %s", word)
        return word

    ctx.logger.debug("not at this level")
    said = await ctx.step(say, event)
    await ctx.wait(1)
    ctx.logger.warning("after the wait")
    return said


def lines_of(path: Path, arn: str) -> list[tuple[str, str]]:
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return [(record["level"], record["message"]) for record in records if record["executionArn"] == arn]


def start(client: Lambda, function: str, word: str) -> str:
    answer = client.invoke(FunctionName=function, Payload=json.dumps(word).encode())
    assert payload_of(answer) == word
    return text_of(answer, "DurableExecutionArn")


def test_what_handlers_in_the_server_log_is_in_their_functions_file_and_says_which_execution_it_is_of(tmp_path: Path) -> None:
    functions = [declared("first", handler=f"{HERE}:talkative", versions={1: None}), declared("second", handler=f"{HERE}:other")]

    with logging_to(tmp_path), running(functions) as server:
        one, two = (start(server.client, "first:$LATEST", word) for word in ("a", "b"))
        three, four = start(server.client, "first:1", "c"), start(server.client, "second:$LATEST", "d")

    assert lines_of(tmp_path / "first.log", one) == [("INFO", "step: a"), ("WARNING", "after the wait")]
    assert lines_of(tmp_path / "first.log", two) == [("INFO", "step: b"), ("WARNING", "after the wait")]
    assert lines_of(tmp_path / "first-1.log", three) == [("INFO", "step: c"), ("WARNING", "after the wait")]
    assert lines_of(tmp_path / "second.log", four) == [("INFO", "other")]


@durable
async def other(event: str, ctx: DurableContext) -> str:
    ctx.logger.info("other")
    return event
