"""Lengths, patterns and ranges of a checkpoint's members."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.service.machine.updates import callback, finished, invoke, step, wait
from tests.service.machine.world import rejection, running

from everstep.protocol.shapes import ChainedInvokeOptions, OperationUpdate


def violations(*updates: OperationUpdate, token: str = "YWJj", client_token: str | None = None) -> str:
    world = running()
    code, message = rejection(lambda: world.send(*updates, token=token, client_token=client_token))
    assert code == "ValidationException"
    return message


def test_a_member_out_of_bounds_is_named_by_its_path() -> None:
    assert violations(wait(seconds=0)) == (
        "1 validation error detected: Value '0' at 'updates.1.member.waitOptions.waitSeconds' failed to satisfy constraint: "
        "Member must have value greater than or equal to 1"
    )
    assert violations(step("START"), step("RETRY", delay_s=31_622_401)) == (
        "1 validation error detected: Value '31622401' at 'updates.2.member.stepOptions.nextAttemptDelaySeconds' "
        "failed to satisfy constraint: Member must have value less than or equal to 31622400"
    )
    assert violations(token="a b") == (
        "1 validation error detected: Value 'a b' at 'checkpointToken' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [A-Za-z0-9+/]+={0,2}"
    )


def test_all_violations_are_reported() -> None:
    message = violations(step("START", "a b"), callback(timeout_s=-1, heartbeat_s=100_000_000))

    assert message.startswith("3 validation errors detected: Value 'a b' at 'updates.1.member.id' failed")
    assert "; Value '-1' at 'updates.2.member.callbackOptions.timeoutSeconds'" in message
    assert "; Value '100000000' at 'updates.2.member.callbackOptions.heartbeatTimeoutSeconds'" in message


@pytest.mark.parametrize(
    ("update", "path", "constraint"),
    [
        (step("START", ""), "id", "length greater than or equal to 1"),
        (step("START", "x" * 65), "id", "length less than or equal to 64"),
        (step("START", parent_id="ü"), "parentId", "regular expression pattern: [a-zA-Z0-9-_]+"),
        (step("START", name=""), "name", "length greater than or equal to 1"),
        (step("START", name="x" * 257), "name", "length less than or equal to 256"),
        (step("START", name="ü"), "name", r"regular expression pattern: [\x20-\x7E]+"),
        (step("START", sub_type="x" * 33), "subType", "length less than or equal to 32"),
        (step("START", sub_type="a b"), "subType", "regular expression pattern"),
        (invoke(""), "chainedInvokeOptions.functionName", "length greater than or equal to 1"),
        (invoke("x" * 257), "chainedInvokeOptions.functionName", "length less than or equal to 256"),
        (finished("x" * 6_291_457), "payload", "length less than or equal to 6291456"),
        (
            replace(invoke(), chained_invoke_options=ChainedInvokeOptions(function_name="f", x_amzn_trace_id="x" * 8193)),
            "chainedInvokeOptions.xAmznTraceId",
            "length less than or equal to 8192",
        ),
    ],
)
def test_bounds_of_updates(update: OperationUpdate, path: str, constraint: str) -> None:
    message = violations(update)

    assert f"at 'updates.1.member.{path}' failed" in message
    assert constraint in message
    assert len(message) < 9_000, "a payload is not repeated"


@pytest.mark.parametrize("client_token", ["", "x" * 65, "a b", "ü"])
def test_bounds_of_a_client_token(client_token: str) -> None:
    assert "at 'clientToken' failed" in violations(client_token=client_token)


def test_the_largest_members_are_accepted() -> None:
    world = running()

    world.send(step("START", "x" * 64, name="~" * 256, sub_type="x" * 32), wait(seconds=31_622_400), client_token="~" * 64)
