from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from tests.console.browsing import browsing, page_of_a_phone
from tests.console.visiting import Visitor
from tests.server.running import Running, declared, running

if TYPE_CHECKING:  # it may not be there
    from playwright.sync_api import Browser, Page

_OF_SERVER = ("order", "quick", "failing", "approval", "sleeper", "caller", "plain")


@pytest.fixture(scope="session")
def server() -> Generator[Running]:
    """One for all tests of the console: each has executions of its own."""
    functions = [declared(name, handler=f"tests.server.functions:{name}") for name in _OF_SERVER]
    functions += [declared(name, handler=f"tests.console.functions:{name}") for name in ("hostile", "priced")]
    functions.append(declared("shop", handler="examples.order:order", versions={1: None}, aliases={"live": "1"}))
    with running(functions) as serving:
        yield serving


@pytest.fixture
def visitor(server: Running) -> Visitor:
    return Visitor(server)


@pytest.fixture(scope="module")  # while it is open, an event loop runs in this thread, so that async tests of other modules could not
def browser() -> Generator[Browser]:
    with browsing() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Generator[Page]:
    """On a phone."""
    with page_of_a_phone(browser) as page:
        yield page
