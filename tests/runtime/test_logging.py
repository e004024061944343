"""ctx.logger: silent on replay, knows where it stands, touches no logger of anybody else's."""

from __future__ import annotations

import io
import json
import logging
import sys

import pytest

from everstep import DurableContext, durable
from everstep.logging import JsonLines
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
