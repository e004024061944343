"""The console in a real browser: Debian's Chromium, driven by Playwright. Skipped where there is none."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Generator
from typing import Final

import pytest

from tests.console.functions import HOSTILE
from tests.console.visiting import page_of, start, waiting
from tests.server.running import Running, status_of, until

pytest.importorskip("playwright", reason="playwright is not installed")
from playwright.sync_api import Browser, Page, sync_playwright  # it may not be there

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here: apt-get install chromium")


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Generator[Page]:
    """On a phone. Whatever the browser complains about, a broken policy say, fails the test."""
    page = browser.new_page(viewport={"width": 390, "height": 844})
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: dialog.accept())
    yield page
    page.close()
    assert not complaints


def test_a_waiting_callback_is_answered_and_the_page_follows(server: Running, page: Page) -> None:
    arn = waiting(server, start(server, "approval"), "CallbackStarted")
    page.goto(f"{server.url}/console{page_of(arn)}")

    area = page.locator("textarea[name=value]")
    area.fill("{no json")
    page.get_by_role("button", name="Complete").click()
    assert status_of(server.client, arn) == "RUNNING"
    area.fill('{"by": "ann"}')
    page.get_by_role("button", name="Complete").click()

    page.locator("#state .s-succeeded").wait_for()
    page.locator("#outcome pre").wait_for()
    assert "ann" in page.locator("#outcome").inner_text()


def test_an_operation_that_was_unfolded_stays_so_while_the_page_renews_itself(server: Running, page: Page) -> None:
    arn = waiting(server, start(server, "sleeper"), "WaitStarted")
    page.goto(f"{server.url}/console{page_of(arn)}")

    page.locator("details.operation > summary").click()
    page.locator("details.operation .event-rows").wait_for()
    with page.expect_response(lambda response: "/operations/" in response.url):
        pass
    page.wait_for_function("document.querySelector('details.operation').open")

    assert page.locator("details.operation .event-rows").is_visible()


def test_chosen_executions_are_stopped_from_the_list(server: Running, page: Page) -> None:
    arn = waiting(server, start(server, "sleeper", None, "to-be-stopped"), "WaitStarted")
    page.goto(f"{server.url}/console/?name=to-be-stopped")

    page.get_by_label("Choose to-be-stopped").check()
    page.get_by_role("button", name="Stop chosen").click()
    page.get_by_text("1 of 1 stopped").wait_for()

    assert status_of(server.client, arn) == "STOPPED"


def test_nothing_that_users_wrote_runs(server: Running, page: Page) -> None:
    arn = start(server, "hostile", {"text": f"</script><script>alert(1)</script>{HOSTILE}"})
    until(lambda: status_of(server.client, arn) == "FAILED", "the end")
    page.goto(f"{server.url}/console{page_of(arn)}")

    page.locator("#event-list > summary").click()
    page.locator("#event-list .event-rows").wait_for()

    assert page.locator("main img, main script").count() == 0


@pytest.mark.parametrize("path", ["/", "/functions", "/functions/approval"])
def test_pages_fit_on_a_phone(server: Running, page: Page, path: str) -> None:
    start(server, "quick", json.dumps("x" * 500), f"{'long-name-' * 4}{time.time_ns()}")

    page.goto(f"{server.url}/console{path}")
    page.wait_for_load_state("networkidle" if path != "/" else "load")

    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_first_stop_of_the_keyboard_leads_past_the_navigation(server: Running, page: Page) -> None:
    page.goto(f"{server.url}/console/")

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    assert page.evaluate("document.activeElement.id") == "main"
