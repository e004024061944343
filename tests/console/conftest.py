from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.console.visiting import Visitor
from tests.server.running import Running, declared, running

_OF_SERVER = ("order", "quick", "failing", "approval", "sleeper", "caller", "plain")


@pytest.fixture(scope="session")
def server() -> Generator[Running]:
    """One for all tests of the console: each has executions of its own."""
    functions = [declared(name, handler=f"tests.server.functions:{name}") for name in _OF_SERVER]
    functions += [declared(name, handler=f"tests.console.functions:{name}") for name in ("hostile", "priced")]
    with running(functions) as serving:
        yield serving


@pytest.fixture
def visitor(server: Running) -> Visitor:
    return Visitor(server)
