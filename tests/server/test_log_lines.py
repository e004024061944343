"""The server's log, as text and as JSON lines."""

from __future__ import annotations

import json
import logging
import re
import signal
import subprocess
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from everstep.server.log_lines import configure
from everstep.service.log_context import about
from tests.server.running import HERE
from tests.server.test_command import COMMAND, ROOT

SECRET = "4242-4242-4242-4242"


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """As it was, afterwards."""
    root, uvicorn = logging.getLogger(), logging.getLogger("uvicorn")
    before = root.level, root.handlers[:], uvicorn.level
    yield root
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    uvicorn.setLevel(before[2])


@pytest.mark.logs_errors
def test_a_json_line_has_what_is_known(root_logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info")
    try:
        raise ValueError("boom")
    except ValueError:
        with about({"apiRequestId": "r-1", "executionArn": "arn:1"}):
            logging.getLogger("everstep.other").exception("it %s", "failed")
    logging.getLogger("everstep.other").debug("not said")
    logging.getLogger("shop").info("hello", extra={"executionArn": "arn:own"})

    failed, hello = map(json.loads, capsys.readouterr().err.splitlines())
    assert failed.pop("exception").endswith("ValueError: boom")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", failed.pop("timestamp"))
    assert failed == {
        "level": "ERROR",
        "logger": "everstep.other",
        "message": "it failed",
        "apiRequestId": "r-1",
        "executionArn": "arn:1",
    }
    assert hello["executionArn"] == "arn:own"


def test_a_text_line_says_it_in_brackets(root_logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    configure("text", "warning")
    with about({"function": "order", "requestId": "i-1"}):
        logging.getLogger("everstep.other").warning("slow")
        logging.getLogger("everstep.other").info("not said")

    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith("WARNING everstep.other: slow [function=order, requestId=i-1]")


def test_a_brief_line_has_the_time_of_day_and_the_executions_name(root_logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    configure("brief", "info")
    with about({"function": "order", "executionArn": "arn:aws:lambda:us-east-1:1:function:order:1/durable-execution/order-17/0bd7"}):
        logging.getLogger("shop").info("hello")
    logging.getLogger("shop").info("of nobody")

    of_order, of_nobody = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d INFO shop: hello \[order-17\]", of_order)
    assert of_nobody.endswith("INFO shop: of nobody")


def test_a_server_writes_nothing_but_json_lines_and_no_payloads() -> None:
    arguments = ["server", f"{HERE}:logging_one", "--store", "memory://", "--port", "0", "--log-format", "json", "--log-level", "debug"]
    process = subprocess.Popen([*COMMAND, *arguments], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    lines: list[dict[str, Any]] = []
    try:
        while not lines or "answers at" not in lines[-1]["message"]:
            lines.append(json.loads(process.stderr.readline()))
        url = re.search(r"http://\S+(?=,)", lines[-1]["message"])
        assert url is not None
        path = "/2015-03-31/functions/logging_one/invocations?Qualifier=$LATEST"
        with urlopen(Request(url[0] + path, data=json.dumps(SECRET).encode(), headers={"X-Token": SECRET}), timeout=10) as answer:
            headers = {name.lower(): value for name, value in answer.headers.items()}
        with pytest.raises(HTTPError) as refused:
            urlopen(f"{url[0]}/nowhere", timeout=10)
        refused.value.close()
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=60)
        lines += map(json.loads, rest.splitlines())
    finally:
        process.kill()
        process.wait()

    [answered] = [line for line in lines if line.get("operation") == "Invoke" and line["logger"] == "everstep.server"]
    assert answered["message"].startswith("answered 200 in")
    assert (answered["function"], answered["apiRequestId"]) == ("logging_one", headers["x-amzn-requestid"])
    [plain] = [line for line in lines if line["message"] == "a line of the function's own"]
    assert (plain["executionArn"], plain["function"]) == (headers["x-amz-durable-execution-arn"], "logging_one")
    assert re.fullmatch(r"[0-9a-f-]{36}", plain["requestId"])
    assert not [line for line in lines if SECRET in json.dumps(line)]
