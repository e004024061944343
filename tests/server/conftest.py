"""A server for all tests that can share one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from tests.server.running import HERE, Lambda, Running, declared, running

IN_PROCESS: Final = ("order", "quick", "failing", "approval", "sleeper", "caller", "plain", "plain_async", "plain_failing", "plain_typed")


@pytest.fixture(scope="package")
def server() -> Iterator[Running]:
    functions = [declared(name, handler=f"{HERE}:{name}") for name in IN_PROCESS]
    functions += [
        declared("long", handler=f"{HERE}:sleeper", config={"ExecutionTimeout": 901}),
        declared("brief", handler=f"{HERE}:sleeper", config={"ExecutionTimeout": 1}),
        declared("pulled", config={"ExecutionTimeout": 300}),
        declared("pulled_plain"),
        declared("tenants", handler=f"{HERE}:quick", config={"ExecutionTimeout": 60}, is_tenanted=True),
        declared(
            "versioned",
            handler=f"{HERE}:quick",
            config={"ExecutionTimeout": 60, "RetentionPeriodInDays": 3},
            versions={1: None, 2: f"{HERE}:failing"},
            aliases={"live": "1", "next": 2},
        ),
    ]
    with running(functions) as server:
        yield server


@pytest.fixture
def client(server: Running) -> Lambda:
    return server.client
