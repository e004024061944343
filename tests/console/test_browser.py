"""The console in a real browser: Debian's Chromium, driven by Playwright. Skipped where there is none."""

from __future__ import annotations

import json
import time

import pytest

from tests.console.browsing import shows
from tests.console.functions import HOSTILE
from tests.console.visiting import ended, page_of, start, waiting
from tests.server.running import Running, status_of, until

pytest.importorskip("playwright", reason="playwright is not installed")
from playwright.sync_api import Page, Route  # it may not be there


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
        server.client.pause_durable_execution(DurableExecutionArn=arn)
    shows(page, "document.querySelector('details.operation').open")

    assert page.locator("details.operation .event-rows").is_visible()


def test_a_page_asks_for_nothing_until_the_server_says_that_there_is_news(server: Running, page: Page) -> None:
    arn = waiting(server, start(server, "sleeper"), "InvocationCompleted")
    asked: list[str] = []
    with page.expect_response(lambda response: "/live" in response.url):
        page.goto(f"{server.url}/console{page_of(arn)}")
    shows(page, "window.htmx !== undefined")
    page.on("request", lambda request: asked.append(request.url.partition("/console/")[2].partition("/")[0]))

    shows(page, "document.querySelector('[data-since]').textContent !== '0 s'")  # it counts by itself
    assert not asked
    server.client.stop_durable_execution(DurableExecutionArn=arn)
    page.locator("#state .s-stopped").wait_for()

    page.locator("#operations-0 .s-cancelled").first.wait_for()
    assert sorted(asked) == ["operations", "state"]


def test_the_list_shows_an_execution_as_soon_as_it_begins(server: Running, page: Page) -> None:
    page.goto(f"{server.url}/console/?name=just-begun")
    shows(page, "window.htmx !== undefined")

    start(server, "sleeper", None, "just-begun")

    page.get_by_role("link", name="just-begun").wait_for()


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


def test_a_fork_goes_on_after_the_result_that_was_written(server: Running, page: Page) -> None:
    arn = ended(server, start(server, "priced", 100))
    page.goto(f"{server.url}/console{page_of(arn)}")
    page.locator("details.operation > summary", has_text="look_up").click()
    page.get_by_role("link", name="Fork from here").click()
    page.get_by_label("After it").check()
    editor = page.get_by_label("Result as JSON")
    assert editor.input_value() == "100"

    editor.fill("{no json")
    page.get_by_text("This is no JSON").wait_for()
    page.get_by_role("button", name="Fork").click()
    assert "/fork/" in page.url
    editor.fill("21")
    page.get_by_role("button", name="Fork").click()

    page.locator("#state .s-succeeded").wait_for()
    page.reload()
    assert page.locator("#outcome pre").inner_text() == "42"
    page.get_by_text("Forked from").wait_for()


def test_what_is_hidden_in_the_forks_form_is_not_looked_at(server: Running, page: Page) -> None:
    arn = ended(server, start(server, "priced", 5))
    page.goto(f"{server.url}/console{page_of(arn)}")
    page.locator("details.operation > summary", has_text="look_up").click()
    page.get_by_role("link", name="Fork from here").click()
    page.get_by_label("After it").check()
    page.get_by_label("Result as JSON").fill("{no json")

    page.get_by_label("Before it").check()
    page.get_by_role("button", name="Fork").click()

    page.get_by_text("Forked from").wait_for()


def test_a_timeline_is_zoomed_by_buttons_keys_and_drawing_over_its_ruler(server: Running, page: Page) -> None:
    arn = ended(server, start(server, "priced", 1))
    page.goto(f"{server.url}/console{page_of(arn)}")
    track = page.locator(".operation svg.track").first

    def box() -> list[float]:
        return [float(part) for part in str(track.get_attribute("viewBox")).split()]

    page.get_by_role("button", name="Zoom in").click()
    assert box() == pytest.approx([250, 0, 500, 14])
    page.keyboard.press("+")
    assert box() == pytest.approx([375, 0, 250, 14])
    page.keyboard.press("[")
    assert box() == pytest.approx([250, 0, 250, 14])
    page.get_by_role("button", name="All").click()
    assert box() == pytest.approx([0, 0, 1000, 14])
    area = page.locator(".ticks").bounding_box()
    assert area is not None
    page.mouse.move(area["x"] + area["width"] / 2, area["y"] + 5)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] * 0.75, area["y"] + 5)
    page.mouse.up()
    assert box() == pytest.approx([500, 0, 250, 14], abs=3)


def test_a_zoomed_timeline_stays_so_while_it_goes_on(server: Running, page: Page) -> None:
    arn = waiting(server, start(server, "sleeper"), "InvocationCompleted")
    page.goto(f"{server.url}/console{page_of(arn)}")
    page.get_by_role("button", name="Zoom in").click()

    with page.expect_response(lambda response: "/operations/" in response.url):
        server.client.pause_durable_execution(DurableExecutionArn=arn)

    shows(page, "document.querySelector('.operation svg.track').viewBox.baseVal.width < 500")


def test_operations_are_walked_through_and_opened_by_keys(server: Running, page: Page) -> None:
    arn = ended(server, start(server, "priced", 1))
    page.goto(f"{server.url}/console{page_of(arn)}")

    page.locator("details.operation > summary").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    page.locator("details.operation:nth-of-type(2) .event-rows").wait_for()
    assert page.evaluate("document.activeElement.innerText").startswith("rest")


def test_an_execution_is_paused_resumed_and_stopped_with_a_reason(server: Running, page: Page) -> None:
    arn = waiting(server, start(server, "sleeper"), "InvocationCompleted")
    page.goto(f"{server.url}/console{page_of(arn)}")

    page.locator("#menu-pause > summary").click()
    page.locator("#reason-pause").fill("lunch")
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("lunch").wait_for()
    page.get_by_role("button", name="Resume").click()
    page.locator("#menu-stop > summary").click()
    page.locator("#reason-stop").fill("enough")
    page.keyboard.press("Enter")

    page.locator("#outcome", has_text="enough").wait_for()
    assert status_of(server.client, arn) == "STOPPED"


def test_a_callback_is_failed_with_an_error(server: Running, page: Page) -> None:
    arn = waiting(server, start(server, "approval"), "CallbackStarted")
    page.goto(f"{server.url}/console{page_of(arn)}")

    page.get_by_text("Fail it instead").click()
    page.get_by_label("Error type").fill("TooExpensive")
    page.get_by_label("Message").fill("not today")
    page.get_by_role("button", name="Fail").click()

    page.locator("#state .s-failed").wait_for()
    page.reload()
    assert "TooExpensive: not today" in page.locator("#outcome").inner_text()


def test_an_execution_is_started_from_what_its_input_is_like_and_run_again_and_deleted(server: Running, page: Page) -> None:
    page.goto(f"{server.url}/console/functions/priced")
    editor = page.get_by_label("Input as JSON")
    assert editor.input_value() == "0"
    editor.fill("[1,\n2]")
    page.get_by_role("button", name="Lay out").click()
    assert editor.input_value() == "[\n  1,\n  2\n]"
    page.goto(f"{server.url}/console/functions/quick")
    editor.fill("8")
    editor.press("Control+Enter")
    page.locator("#state .s-succeeded").wait_for()

    page.get_by_role("link", name="Edit and run").click()
    assert page.get_by_label("Input as JSON").input_value() == "8"
    page.go_back()
    first = page.url
    page.get_by_role("button", name="Run again").click()
    page.locator("#state .s-succeeded").wait_for()
    assert page.url != first
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("heading", name="Executions").wait_for()


def test_all_that_match_are_run_again_once_their_number_is_confirmed(server: Running, page: Page) -> None:
    name = f"again-{time.time_ns()}"
    ended(server, start(server, "failing", 3, name))
    page.goto(f"{server.url}/console/?name={name}")

    page.get_by_role("link", name="run again").click()
    page.get_by_role("button", name="Run again 1 execution").click()

    page.get_by_text("1 of 1 run again").wait_for()


def test_all_of_a_page_are_chosen_by_one_box(server: Running, page: Page) -> None:
    name = f"box-{time.time_ns()}"
    for function in ("quick", "failing"):
        ended(server, start(server, function, 3, name))
    page.set_viewport_size({"width": 1100, "height": 800})
    page.goto(f"{server.url}/console/?name={name}")

    page.get_by_label("Choose all on this page").check()
    page.get_by_role("button", name="Run chosen again").click()

    page.get_by_text("2 of 2 run again").wait_for()


def test_counts_come_with_the_list(server: Running, page: Page) -> None:
    ended(server, start(server, "quick"))

    page.goto(f"{server.url}/console/")

    page.locator("#counts .count", has_text="Succeeded").wait_for()


def test_what_is_unfolded_before_htmx_has_arrived_is_read_then(server: Running, page: Page) -> None:
    arn = ended(server, start(server, "quick"))

    def unfold_first(route: Route) -> None:
        page.locator("details.operation > summary").click()
        route.continue_()

    page.route("**/htmx.min.js", unfold_first)
    page.goto(f"{server.url}/console{page_of(arn)}")

    page.locator("details.operation .event-rows").wait_for()


def test_a_menu_is_closed_by_escape(server: Running, page: Page) -> None:
    arn = waiting(server, start(server, "sleeper"), "InvocationCompleted")
    page.goto(f"{server.url}/console{page_of(arn)}")
    page.locator("#menu-stop > summary").click()
    page.locator("#reason-stop").fill("no")

    page.keyboard.press("Escape")

    assert not page.locator("#reason-stop").is_visible()
    assert status_of(server.client, arn) == "RUNNING"


def test_two_that_are_chosen_in_the_list_are_compared(server: Running, page: Page) -> None:
    name = f"pair-{time.time_ns()}"
    for function in ("quick", "failing"):
        ended(server, start(server, function, 3, name))
    page.goto(f"{server.url}/console/?name={name}")
    for box in page.get_by_label(f"Choose {name}").all():
        box.check()

    page.get_by_role("button", name="Compare two").click()
    page.locator("details.operation > summary").first.click()
    page.locator("details.operation .event-rows").first.wait_for()

    assert "They differ in status" in page.locator(".lead").inner_text()
    assert "proof" not in page.url
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_an_execution_leads_to_those_that_it_can_be_compared_with(server: Running, page: Page) -> None:
    ended(server, start(server, "quick", 1, "other-one"))
    page.goto(f"{server.url}/console{page_of(ended(server, start(server, 'quick', 2)))}")

    page.get_by_role("link", name="Compare").click()
    page.get_by_label("Name").fill("other-one")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="other-one").first.click()

    page.get_by_role("heading", name="Two executions").wait_for()


def test_a_number_of_stuck_executions_leads_to_them(server: Running, page: Page) -> None:
    waiting(server, start(server, "sleeper", None, "stuck-one"), "InvocationCompleted")
    page.goto(f"{server.url}/console/functions/sleeper")

    page.locator("table a").first.click()

    page.get_by_role("link", name="stuck-one").wait_for()


@pytest.mark.parametrize("path", ["/", "/?kind=WAIT", "/functions", "/functions/approval", "/functions/order", "/bulk/stop?kind=WAIT"])
def test_pages_fit_on_a_phone(server: Running, page: Page, path: str) -> None:
    start(server, "quick", json.dumps("x" * 500), f"{'long-name-' * 4}{time.time_ns()}")

    page.goto(f"{server.url}/console{path}")
    page.wait_for_load_state("load" if path.startswith("/?") or path == "/" else "networkidle")

    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_first_stop_of_the_keyboard_leads_past_the_navigation(server: Running, page: Page) -> None:
    page.goto(f"{server.url}/console/")

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    assert page.evaluate("document.activeElement.id") == "main"
