"""What people do with the order example, from page to page, in a real browser."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from typing import Final

import pytest

from everstep.server.access.keys import AccessKey
from examples import order
from tests.console.browsing import shows
from tests.console.visiting import page_of, start, waiting
from tests.server.running import Running, declared, events_of, running, status_of, until

pytest.importorskip("playwright", reason="playwright is not installed")
from playwright.sync_api import Browser, Page  # it may not be there

ORDER: Final = {"id": "17", "card": "4242-4242", "items": ["lamp", "chair"], "total": 120}
DECLINED: Final = {**ORDER, "card": "4242-4240"}


async def _at_once(seconds: float) -> None:
    """In the place of what a step would spend on a network."""


@pytest.fixture(scope="module", autouse=True)
def fast_steps() -> Generator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(order, "work", _at_once)
        yield


@pytest.fixture(scope="module")
def orders(server: Running, fast_steps: None) -> Mapping[str, str]:
    """Their ARNs by their names. They begin together, so that their retries, a second each, are over for all at once."""
    long = {**ORDER, "items": [f"item {number}" for number in range(15)]}
    inputs = {"declined": DECLINED, "batch-0": ORDER, "batch-1": ORDER, "standing": ORDER, "long": long, "without-scripts": ORDER}
    return {name: start(server, "shop", given, name) for name, given in inputs.items()}


@pytest.fixture
def page(page: Page) -> Page:
    """On a desk."""
    page.set_viewport_size({"width": 1100, "height": 900})
    return page


def test_an_order_is_started_from_its_schema_watched_approved_and_delivered(server: Running, page: Page) -> None:
    page.goto(f"{server.url}/console/functions")
    page.get_by_role("link", name="shop", exact=True).click()
    page.get_by_text("What the input is like, as JSON Schema").click()
    page.get_by_text('"items"').last.wait_for()
    editor = page.get_by_label("Input as JSON")
    assert json.loads(editor.input_value()) == {"id": "", "card": "", "items": [""], "total": 0}

    editor.fill(json.dumps(ORDER))
    page.get_by_label("Version or alias").select_option("live")
    page.get_by_label("Name, to start it once").fill("order-17")
    page.get_by_role("button", name="Start").click()

    page.get_by_role("heading", name="order-17").wait_for()
    page.get_by_role("heading", name="approval waits for an answer").wait_for()
    charge = page.locator("details.operation", has_text="charge")
    assert "2 attempts" in charge.inner_text()
    assert "examples/order.py:" in charge.inner_text()
    assert charge.locator("rect.failed-attempt").count() == 1
    assert charge.locator("rect.delay").count() == 1
    assert "now in approval" in page.locator("p.summary").inner_text()
    assert page.locator("details.operation .title").all_inner_texts()[2:6] == ["pack", "map-item-0", "pick", "wrap"]

    page.get_by_label("Result as JSON").fill('{"by": "ann", "decision": "ship"}')
    page.get_by_role("button", name="Complete").click()
    page.locator("details.operation", has_text="cooling-off").wait_for()
    page.locator("#state .s-succeeded").wait_for()
    assert '"approved_by": "ann"' in page.locator("#outcome").inner_text()
    page.get_by_text("Show the history").click()
    page.get_by_text("ExecutionSucceeded").wait_for()


def test_a_declined_order_is_found_by_its_error_and_forked_and_compared(server: Running, page: Page, orders: Mapping[str, str]) -> None:
    arn = waiting(server, orders["declined"], "ExecutionFailed")
    page.goto(f"{server.url}/console/")
    page.get_by_text("More filters").click()
    page.get_by_label("Error type").fill("CardDeclined")
    page.get_by_label("Name", exact=True).fill("declined")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="declined").click()
    page.locator("#outcome").get_by_text("Stack trace").click()
    assert "in charge" in page.locator("#outcome pre").inner_text()

    page.locator("details.operation > summary", has_text="charge").click()
    page.get_by_role("link", name="Fork from here").click()
    page.get_by_label("After it").check()
    page.get_by_label("Result as JSON").fill('{"id": "by hand", "amount": 120}')
    page.get_by_label("Name of the fork").fill("paid-by-hand")
    page.get_by_role("button", name="Fork").click()
    page.get_by_role("heading", name="approval waits for an answer").wait_for()
    page.get_by_role("link", name="compare", exact=True).click()

    assert "The first difference is charge" in page.locator(".lead").inner_text()
    assert page.locator(".compared").all_inner_texts()[0].count("CardDeclined")
    page.get_by_role("link", name="All operations").click()
    page.locator("details.operation.same", has_text="validate").wait_for()
    page.get_by_role("link", name="declined", exact=True).first.click()
    assert page.url.endswith(page_of(arn))


def test_orders_that_wait_are_found_by_what_they_wait_in_and_stopped(server: Running, page: Page, orders: Mapping[str, str]) -> None:
    arns = [waiting(server, orders[name], "CallbackStarted") for name in ("batch-0", "batch-1")]
    page.goto(f"{server.url}/console/?waiting=approval&function=shop")
    shown = page.locator("#list").inner_text()
    assert "in approval since" in shown

    page.get_by_label("Name", exact=True).fill("batch-1")
    page.get_by_label("Status").select_option("RUNNING")
    page.get_by_label("Started after (UTC)").fill("2020-01-01T00:00")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="batch-1").wait_for()
    assert page.get_by_role("link", name="batch-0").count() == 0
    page.get_by_role("link", name="stop…").click()
    page.get_by_role("button", name="Stop 1 execution").click()
    page.get_by_text("1 of 1 stopped").wait_for()

    assert [status_of(server.client, arn) for arn in arns] == ["RUNNING", "STOPPED"]


def test_figures_of_a_function_say_where_its_executions_stand(server: Running, page: Page, orders: Mapping[str, str]) -> None:
    waiting(server, orders["standing"], "CallbackStarted")
    page.goto(f"{server.url}/console/functions/shop")

    row = page.locator("tr", has_text="approval callback")
    row.wait_for()
    assert page.locator("dd", has_text="live → 1").count() == 1
    row.get_by_role("link").click()

    page.get_by_role("link", name="standing").wait_for()


def test_an_execution_and_the_one_that_it_invoked_lead_to_each_other(server: Running, page: Page) -> None:
    arn = waiting(server, start(server, "caller", "hello"), "ExecutionSucceeded")
    page.goto(f"{server.url}/console{page_of(arn)}")

    page.locator("details.operation > summary", has_text="invoke quick").first.click()
    page.locator(".inside").get_by_role("link").first.click()
    page.get_by_text("Invoked by").wait_for()
    page.locator("dd > a[href*='#op-']").click()

    shows(page, "document.querySelector('.arn').innerText.includes('function:caller')")


def test_a_history_is_read_to_its_beginning_as_one_scrolls(server: Running, page: Page, orders: Mapping[str, str]) -> None:
    until(lambda: events_of(server.client, orders["long"])[-1]["EventId"] == 100, "a page of events")
    page.goto(f"{server.url}/console{page_of(orders['long'])}")

    page.get_by_text("Show the history").click()
    page.locator("#event-list .event-rows").wait_for()
    page.locator("#event-list li").last.scroll_into_view_if_needed()
    page.locator("#event-list .loading").scroll_into_view_if_needed()

    page.get_by_text("ExecutionStarted").wait_for()


def test_only_an_operator_signs_in_and_out_again(browser: Browser) -> None:
    key = AccessKey(access_key_id="boss", secret_access_key="s" * 24, roles=["operator"])
    with running([declared("quick", handler="tests.server.functions:quick")], keys=[key]) as server:
        page = browser.new_page()
        page.goto(f"{server.url}/console/functions/quick")
        page.get_by_label("Access key ID").fill("boss")
        page.get_by_label("Secret access key").fill("wrong")
        page.keyboard.press("Enter")
        page.get_by_text("The key or its secret is wrong.").wait_for()
        page.get_by_label("Access key ID").fill("boss")
        page.get_by_label("Secret access key").fill(key.secret_access_key)
        page.get_by_role("button", name="Sign in").click()

        page.goto(f"{server.url}/console/functions/quick")
        page.get_by_role("button", name="Start").click()
        page.locator("#state .s-succeeded").wait_for()
        page.get_by_role("button", name="Sign out").click()
        page.goto(f"{server.url}/console/")
        assert page.url.endswith("/sign-in")
        page.close()


def test_everything_is_read_and_answered_where_no_script_runs(server: Running, browser: Browser, orders: Mapping[str, str]) -> None:
    arn = waiting(server, orders["without-scripts"], "CallbackStarted")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server.url}/console/?name=without-scripts")
    assert not page.get_by_text("Counting…").is_visible()
    page.get_by_role("link", name="How many there are in each status").click()
    page.locator(".count", has_text="Running").wait_for()
    page.go_back()
    page.get_by_role("link", name="without-scripts").click()
    page.locator("details.operation > summary", has_text="charge").click()
    page.locator("details.operation[open]").get_by_role("link", name="What it recorded").click()
    assert "pay-4242" in page.locator("main").inner_text()
    page.get_by_role("link", name="without-scripts").click()
    page.get_by_text("Show the history").click()
    page.get_by_role("link", name="All events, newest first").click()
    page.get_by_text("ExecutionStarted").wait_for()
    page.go_back()
    page.get_by_label("Result as JSON").fill('{"by": "ann", "decision": "cancel"}')
    page.get_by_role("button", name="Complete").click()

    until(lambda: status_of(server.client, arn) == "FAILED", "the end")
    page.goto(f"{server.url}/console/functions/shop")
    page.get_by_role("link", name="How its latest executions went").click()
    page.locator("td", has_text="charge").wait_for()
    context.close()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_texts_stand_out_from_their_ground(server: Running, browser: Browser, colours: str, orders: Mapping[str, str]) -> None:
    failed, stands = waiting(server, orders["declined"], "ExecutionFailed"), waiting(server, orders["standing"], "CallbackStarted")
    page = browser.new_page(color_scheme="dark" if colours == "dark" else "light")

    for path in ("/", "/functions/shop", page_of(failed), page_of(stands)):
        page.goto(f"{server.url}/console{path}")
        assert page.evaluate(_FAINT) == []
    page.close()


_FAINT: Final = """() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => { const [r, g, b] = parts(colour).slice(0, 3).map((part) => { part /= 255;
    return part <= .03928 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4; }); return .2126 * r + .7152 * g + .0722 * b; };
  const ground = (one) => { for (let at = one; at; at = at.parentElement) { const colour = getComputedStyle(at).backgroundColor;
    if ((parts(colour)[3] ?? 1) > 0) return colour; } return "rgb(255, 255, 255)"; };
  const faint = [];
  for (const one of document.querySelectorAll("main *, header *")) {
    const text = [...one.childNodes].filter((node) => node.nodeType === 3).map((node) => node.textContent.trim()).filter(Boolean);
    if (!text.length || !one.checkVisibility() || one.matches("option, noscript, title, :disabled")) continue;
    const [a, b] = [light(getComputedStyle(one).color), light(ground(one))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) faint.push([text[0], (a + .05) / (b + .05)]);
  }
  return faint;
}"""
