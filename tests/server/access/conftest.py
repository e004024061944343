"""A server with credentials for the tests that can share one."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.server.access.keys import KEYS
from tests.server.running import HERE, Running, declared, running


@pytest.fixture(scope="package")
def guarded() -> Iterator[Running]:
    functions = [
        declared("quick", handler=f"{HERE}:quick"),
        declared("approval", handler=f"{HERE}:approval"),
        declared("pulled", config={"ExecutionTimeout": 60}),
        declared("pulled_plain"),
        declared("process", process=f"{HERE}:order", config={"ExecutionTimeout": 60}),
        declared("ric_process", command=f"{sys.executable} -m awslambdaric {HERE}.order", config={"ExecutionTimeout": 60}),
    ]
    with running(functions, keys=KEYS) as server:
        yield server
