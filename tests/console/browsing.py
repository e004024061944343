"""A real browser: the system's Chromium, or the one that Playwright has installed, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.server.running import until

if TYPE_CHECKING:  # it may not be there
    from playwright.sync_api import Browser, Page, Playwright


class NoBrowser(Exception):
    """There is none here."""


def launch(playwright: Playwright) -> Browser:
    """Raises NoBrowser."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or playwright.chromium.executable_path
    if not Path(program).exists():
        raise NoBrowser("there is no Chromium here: make browser")
    return playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])


@contextmanager
def browsing() -> Generator[Browser]:
    """A browser. Skips the test where there is none."""
    pytest.importorskip("playwright", reason="playwright is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        try:
            browser = launch(playwright)
        except NoBrowser as error:
            pytest.skip(str(error))
        yield browser
        browser.close()


@contextmanager
def page_of_a_phone(browser: Browser) -> Generator[Page]:
    """Whatever the browser complains about, a broken policy say, fails the test. Questions are answered with yes."""
    page = browser.new_page(viewport={"width": 390, "height": 844})
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: dialog.accept())
    yield page
    page.close()
    assert not complaints


def shows(page: Page, condition: str) -> None:
    """Wait until it holds. What Playwright has for that evaluates text in the page, which the policy forbids."""
    until(lambda: bool(page.evaluate(condition)), condition)
