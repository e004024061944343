"""ctx.logger: silent on replay, knows where it stands, touches no logger of anybody else's."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
from aws_lambda_powertools import Logger

from everstep import DurableContext, durable
from everstep.logging import JsonLines, for_all_loggers
from tests.support.handlers import run_handler
from tests.test_lambda import ARN, Lambda


@pytest.fixture
def caught(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="everstep.handler")
    return caplog


@pytest.mark.parametrize("warm", [True, False])
def test_each_line_is_logged_once_however_often_the_code_is_replayed(caught: pytest.LogCaptureFixture, warm: bool) -> None:
    async def handler(event: object, ctx: DurableContext) -> None:
        async def body() -> None:
            ctx.logger.info("in the step")

        async def child(inner: DurableContext) -> None:
            inner.logger.info("in the child")
            await inner.wait(1)
            inner.logger.info("in the child, later")

        ctx.logger.info("at the top")
        await ctx.step(body, name="work")
        ctx.logger.info("after the step, %s", "formatted")
        await ctx.wait(1)
        await ctx.run_in_child_context(child)
        ctx.logger.info("at the end")

    run_handler(handler, warm=warm, replays=False)

    assert [record.getMessage() for record in caught.records] == [
        "at the top",
        "in the step",
        "after the step, formatted",
        "in the child",
        "in the child, later",
        "at the end",
    ]


def test_records_say_which_execution_operation_and_attempt(caught: pytest.LogCaptureFixture) -> None:
    async def handler(event: object, ctx: DurableContext) -> None:
        async def body() -> None:
            ctx.logger.info("here", extra={"order": 17})

        await ctx.step(body, name="work")

    run_handler(handler)

    fields = vars(caught.records[0])
    assert fields["executionArn"].startswith("arn:aws:lambda:")
    assert (fields["operationName"], fields["attempt"], fields["order"]) == ("work", 1, 17)
    assert len(fields["operationId"]) == 64


def test_on_lambda_each_record_is_a_line_of_json(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = logging.getLogger("everstep.handler")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "propagate", True)
    monkeypatch.setattr(logger, "level", logging.NOTSET)
    written = io.StringIO()
    monkeypatch.setattr(sys, "stdout", written)
    root_handlers = list(logging.getLogger().handlers)

    class Context:
        aws_request_id = "request-1"

    async def handler(event: object, ctx: DurableContext) -> None:
        ctx.logger.warning("low on %s", "paper")

    service = Lambda()
    durable(client=service)(handler)(service.event(), Context())

    (line,) = map(json.loads, written.getvalue().splitlines())
    assert (line["level"], line["message"], line["executionArn"], line["requestId"]) == ("WARNING", "low on paper", ARN, "request-1")
    assert logging.getLogger().handlers == root_handlers


def test_a_line_of_json_holds_an_exception_and_what_is_no_json() -> None:
    try:
        raise ValueError("no")
    except ValueError:
        record = logging.LogRecord("n", logging.ERROR, __file__, 1, "failed", None, sys.exc_info())
    record.thing = object()

    line = json.loads(JsonLines().format(record))

    assert "ValueError: no" in line["exception"]
    assert line["thing"].startswith("<object object")


# Every logger


@pytest.fixture
def all_loggers() -> Iterator[None]:
    made_by = logging.getLogRecordFactory()
    for_all_loggers()
    yield
    logging.setLogRecordFactory(made_by)


class Kept(logging.Handler):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def lines(self) -> list[str]:
        return [record.getMessage() for record in self.records]


@pytest.mark.usefixtures("all_loggers")
@pytest.mark.parametrize("warm", [True, False])
def test_any_logger_writes_each_line_once_to_handlers_that_are_added_late(warm: bool) -> None:
    logger = logging.getLogger("shop.orders")
    early, late = Kept(), Kept()
    logger.addHandler(early)
    logger.setLevel(logging.INFO)

    async def handler(event: object, ctx: DurableContext) -> None:
        logger.info("at the top")
        await ctx.wait(1)
        if late not in logger.handlers:
            logger.addHandler(late)
        logger.info("after the wait")
        await ctx.step(lambda: logger.info("in the step"), name="work")
        await ctx.wait(1)
        logger.info("at the end")

    try:
        run_handler(handler, warm=warm, replays=False)
    finally:
        logger.removeHandler(early)
        logger.removeHandler(late)

    assert early.lines() == ["at the top", "after the wait", "in the step", "at the end"]
    assert late.lines() == early.lines()[1:]


@pytest.mark.usefixtures("all_loggers")
def test_records_of_any_logger_say_where_they_stand_and_may_say_otherwise() -> None:
    logger, kept = logging.getLogger("shop.orders"), Kept()
    logger.addHandler(kept)
    logger.setLevel(logging.INFO)

    async def handler(event: object, ctx: DurableContext) -> None:
        async def inner(child: DurableContext) -> None:
            logger.info("in the child")

        logger.info("at the top", extra={"attempt": "mine"})
        await ctx.step(lambda: logger.info("in the step"), name="work")
        await ctx.run_in_child_context(inner)
        ctx.logger.info("ours")

    try:
        run_handler(handler, replays=False)
        logger.info("outside")
    finally:
        logger.removeHandler(kept)

    top, step, child, outside = (vars(record) for record in kept.records)
    assert top["executionArn"] == step["executionArn"] == child["executionArn"]
    assert top["attempt"] == "mine"
    assert (step["operationName"], step["attempt"]) == ("work", 1)
    assert "operationId" not in top
    assert len({step["operationId"], child["operationId"]}) == 2
    assert "executionArn" not in outside


@pytest.mark.usefixtures("all_loggers")
def test_powertools_logger_writes_each_line_once_and_says_where() -> None:
    stream = io.StringIO()
    logger = Logger(service="shop", stream=stream, level="INFO")

    async def handler(event: object, ctx: DurableContext) -> None:
        logger.info("at the top", extra={"order": 17})
        await ctx.step(lambda: logger.info("in the step"), name="work")
        await ctx.wait(1)
        logger.info("at the end")

    run_handler(handler, warm=False, replays=False)

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["message"] for line in lines] == ["at the top", "in the step", "at the end"]
    assert {line["service"] for line in lines} == {"shop"}
    assert all(line["executionArn"].startswith("arn:") for line in lines)
    assert lines[0]["order"] == 17
    assert (lines[1]["operationName"], lines[1]["attempt"]) == ("work", 1)
