"""What has once been answered with an internal error, or should not have been taken."""

from __future__ import annotations

import json

import pytest

from tests.server.running import Running

LISTING = "/2025-12-01/functions/quick/durable-executions"
ALIASES = "/2015-03-31/functions/quick/aliases"
NOBODY = "/2025-12-01/durable-executions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Aquick%3A1%2Fdurable-execution%2Fa%2Fb"


def deep(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    ("method", "path", "body", "kind"),
    [
        ("GET", f"{LISTING}?StartedAfter=1e300", b"", "SerializationException"),
        ("GET", f"{LISTING}?StartedBefore=-1e12", b"", "SerializationException"),
        ("GET", f"{LISTING}?StartedBefore=nan", b"", "SerializationException"),
        ("GET", f"/2015-03-31/functions?MaxItems={'9' * 5_000}", b"", "SerializationException"),
        ("GET", "/2015-03-31/functions?MaxItems=-1", b"", "ValidationException"),
        ("GET", "/2015-03-31/functions?FunctionVersion=null", b"", "ValidationException"),
        ("POST", f"{NOBODY}/stop", b'{"ErrorData":null,"X":' + deep(700) + b"}", "SerializationException"),
        ("POST", "/2015-03-31/functions", b'{"FunctionName":"deep","Role":"r","Code":{"X":' + deep(700) + b"}}", "SerializationException"),
        ("PUT", "/2019-09-25/functions/quick/event-invoke-config", b'{"X":' + deep(700) + b"}", "SerializationException"),
        ("POST", ALIASES, json.dumps({"Name": "é", "FunctionVersion": "$LATEST"}).encode(), "InvalidParameterValueException"),
        ("POST", ALIASES, json.dumps({"Name": "a" * 129, "FunctionVersion": "$LATEST"}).encode(), "InvalidParameterValueException"),
        ("POST", ALIASES, json.dumps({"Name": "12", "FunctionVersion": "$LATEST"}).encode(), "InvalidParameterValueException"),
        ("TRACE", "/2015-03-31/functions", b"", "UnknownOperationException"),
        ("GET", "/2015-03-31/functions/a%0Ab/code", b"", "ValidationException"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_in_the_words_of_the_api(
    server: Running, method: str, path: str, body: bytes, kind: str
) -> None:
    status, headers, answer = server.request(method, path, body)

    assert (status // 100, headers["x-amzn-errortype"]) == (4, kind)
    assert headers["x-amzn-requestid"]
    assert json.loads(answer)["__type"] == kind


def test_a_worker_that_reports_something_deep_is_heard(server: Running) -> None:
    for body in (deep(3_000), b'{"stackTrace":[' + deep(700) + b"]}"):
        assert server.request("POST", "/runtime/pulled/2018-06-01/runtime/init/error", body)[0] == 202
