"""Shared by all tests. Async ones run on an event loop of their own, without a plugin."""

from __future__ import annotations

import asyncio
import inspect
import logging
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # loading it takes a database's driver, which most tests do without
    from tests.service.postgres import Server


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that runs this in the background has it ignore SIGINT, which the programs that tests start and interrupt would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)


class _Failing(logging.Handler):
    """Collects what Everstep logs as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture(autouse=True)
def no_errors_are_logged(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test in which Everstep logs an error fails, unless it is marked `logs_errors`."""
    handler = _Failing()
    logger = logging.getLogger("everstep")
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)
    if handler.records and request.node.get_closest_marker("logs_errors") is None:
        pytest.fail("Everstep logged: " + "; ".join(record.getMessage() for record in handler.records))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    from tests.service.postgres import Server

    server = Server()
    yield server
    server.remove()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    asyncio.run(pyfuncitem.obj(**arguments))
    return True
