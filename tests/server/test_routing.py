from __future__ import annotations

from typing import Any, cast
from urllib.parse import quote

import pytest
from botocore.session import Session  # type: ignore[import-untyped]  # no stubs are installed

from everstep.server.app import HANDLERS
from everstep.server.routing import OPERATIONS, OWN, match

ARN = "arn:aws:lambda:us-east-1:123456789012:function:order:$LATEST/durable-execution/a/b"


@pytest.mark.parametrize("written", [ARN, quote(ARN, safe=""), quote(ARN, safe="/:"), ARN.replace("$", "%24")])
@pytest.mark.parametrize(
    ("method", "suffix", "operation"),
    [
        ("GET", "", "GetDurableExecution"),
        ("DELETE", "", "DeleteDurableExecution"),
        ("GET", "/state", "GetDurableExecutionState"),
        ("POST", "/checkpoint", "CheckpointDurableExecution"),
    ],
)
def test_an_arn_may_be_escaped_or_not(written: str, method: str, suffix: str, operation: str) -> None:
    found = match(method, f"/2025-12-01/durable-executions/{written}{suffix}")

    assert found is not None
    assert (found.operation, found.labels) == (operation, {"DurableExecutionArn": ARN})


@pytest.mark.parametrize("written", ["ab+/c==", "ab%2B%2Fc%3D%3D"])
def test_a_callback_id_may_be_escaped_or_not(written: str) -> None:
    found = match("POST", f"/2025-12-01/durable-execution-callbacks/{written}/heartbeat")

    assert found is not None
    assert found.labels == {"CallbackId": "ab+/c=="}


def test_a_label_is_decoded_once() -> None:
    found = match("GET", "/2015-03-31/functions/a%2525b")

    assert found is not None
    assert found.labels == {"FunctionName": "a%25b"}


@pytest.mark.parametrize(
    ("method", "path"), [("PATCH", "/2015-03-31/functions"), ("GET", "/"), ("GET", ""), ("GET", "/2015-03-31"), ("GET", "//x")]
)
def test_what_is_no_operation_is_none(method: str, path: str) -> None:
    assert match(method, path) is None


def test_every_operation_is_routed_as_the_model_says() -> None:
    model = cast("Any", Session()).get_service_model("lambda")

    theirs = {route: operation for route, operation in OPERATIONS.items() if not route[1].startswith(OWN)}
    for (method, path), operation in theirs.items():
        http = model.operation_model(operation).http
        assert (http["method"], http["requestUri"].rstrip("/")) == (method, path)
    assert set(OPERATIONS.values()) == set(HANDLERS)
