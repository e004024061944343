"""Draws the console's pages from a live server with the order example: `make screenshots`.

All of them, in both colours and on a phone, go to build/screenshots to be looked at; those that the docs show to docs/images.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

from playwright.sync_api import Browser, Page, sync_playwright

from tests.console.browsing import launch
from tests.console.visiting import in_path, start
from tests.server.running import Running, declared, events_of, running, text_of, until

ROOT: Final = Path(__file__).parent.parent.parent
LOOK: Final = ROOT / "build" / "screenshots"
DOCS: Final = ROOT / "docs" / "images"
ORDER: Final = {"id": "", "card": "4242-4242", "items": ["lamp", "chair", "book"], "total": 120}


Colours: TypeAlias = Literal["light", "dark"]


class View(NamedTuple):
    """path: of the page; <17> stands for the ARN of that order, <charge> for its operation. ready: what is there when it can be drawn.

    prepare: what is done before.
    """

    path: str
    ready: str
    height: int = 760
    prepare: Callable[[Page], None] | None = None


def _open_charge(page: Page) -> None:
    page.locator(".operation > summary", has_text="charge").click()
    page.locator(".event-rows").first.wait_for()


def _edit_result(page: Page) -> None:
    page.get_by_label("After it").check()
    page.get_by_label("Result as JSON").fill(json.dumps({"id": "by hand", "amount": 120}, indent=2))


def _zoom(page: Page) -> None:
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Earlier").click()


VIEWS: Final = {
    "console-list": View("/", "#counts .count", 740),
    "list-waiting": View("/?kind=CALLBACK", "#counts .count"),
    "console": View("/executions/<17>", ".operation", 900),
    "execution-ended": View("/executions/<18>", ".operation", prepare=_open_charge),
    "execution-zoomed": View("/executions/<18>", ".operation", prepare=_zoom),
    "execution-failed": View("/executions/<16>", ".operation"),
    "execution-forked": View("/executions/<0>", ".operation"),
    "console-fork": View("/fork/<16>?operation=<charge>", "form", 660, _edit_result),
    "console-compare": View("/compare/<16>?with=<18>", ".operation", 1480),
    "compare-with": View("/compare/<16>", "table"),
    "bulk": View("/bulk/again?status=FAILED", "form"),
    "functions": View("/functions", "table"),
    "console-function": View("/functions/order", ".figures", 1120),
}
_charged: dict[str, str] = {}


def _path(path: str, arns: Mapping[int, str]) -> str:
    for number, arn in arns.items():
        path = path.replace(f"<{number}>", in_path(arn))
    return path.replace("<charge>", _charged[arns[16]])


def main() -> None:
    LOOK.mkdir(parents=True, exist_ok=True)
    functions = [declared("order", handler="examples.order:order", Description="From payment to delivery", versions={1: None})]
    functions += [declared(name, handler=f"tests.server.functions:{name}") for name in ("caller", "quick", "plain")]
    with running(functions) as server, sync_playwright() as playwright:
        browser = launch(playwright)
        arns = _executions(server)
        for name, view in VIEWS.items():
            _draw(browser, server, view, arns, LOOK / f"{name}.png", "light", 1100)
            if name.startswith("console"):
                shutil.copy(LOOK / f"{name}.png", DOCS / f"{name}.png")
            _draw(browser, server, view, arns, LOOK / f"{name}-dark.png", "dark", 1100)
            _draw(browser, server, view, arns, LOOK / f"{name}-phone.png", "dark", 390)
        _draw(browser, server, VIEWS["console"], arns, DOCS / "console-dark.png", "dark", 1100)
        browser.close()


def _draw(browser: Browser, server: Running, view: View, arns: Mapping[int, str], image: Path, colours: Colours, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": view.height}, color_scheme=colours)
    page.goto(f"{server.url}/console{_path(view.path, arns)}")
    page.locator(view.ready).first.wait_for()
    if view.prepare is not None:
        view.prepare(page)
    page.screenshot(path=image, full_page=width == 390)
    page.close()


def _executions(server: Running) -> Mapping[int, str]:
    """Orders by number: one that the bank declines, one that was delivered, two that wait for an approval; 0 is a fork of the first."""
    arns = {number: _ordered(server, number) for number in range(16, 20)}
    start(server, "caller", "hello", "caller-1")
    for arn in arns.values():
        until(partial(_has, server, arn, "CallbackStarted", "ExecutionFailed"), "the approval")
    _approve(server, arns[18])
    until(lambda: _has(server, arns[18], "ExecutionSucceeded"), "the delivery")
    charged = next(one["Id"] for one in events_of(server.client, arns[16]) if one.get("Name") == "charge")
    _charged[arns[16]] = charged
    body = json.dumps({"Operation": charged, "Name": "order-16-paid", "Result": json.dumps({"id": "by hand", "amount": 120})}).encode()
    _, _, answer = server.request("POST", f"/everstep/2026-11-01/durable-executions/{in_path(arns[16])}/fork", body)
    forked = text_of(json.loads(answer), "DurableExecutionArn")
    until(lambda: _has(server, forked, "CallbackStarted"), "the approval")
    return {**arns, 0: forked}


def _ordered(server: Running, number: int) -> str:
    card = "4242-4240" if number == 16 else "4242-4242"  # the bank declines the first
    return start(server, "order", {**ORDER, "id": str(number), "card": card}, f"order-{number}")


def _has(server: Running, arn: str, *kinds: str) -> bool:
    return any(event["EventType"] in kinds for event in events_of(server.client, arn))


def _approve(server: Running, arn: str) -> None:
    (waits,) = [event for event in events_of(server.client, arn) if event["EventType"] == "CallbackStarted"]
    server.client.send_durable_execution_callback_success(
        CallbackId=waits["CallbackStartedDetails"]["CallbackId"], Result=json.dumps({"by": "ann", "decision": "ship"}).encode()
    )


if __name__ == "__main__":
    main()
