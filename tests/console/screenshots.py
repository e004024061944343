"""Draws docs/images from a live server with the order example: `make screenshots`."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Final

from playwright.sync_api import sync_playwright

from tests.console.visiting import page_of
from tests.server.running import Running, declared, events_of, running, text_of, until

IMAGES: Final = Path(__file__).parent.parent.parent / "docs" / "images"
# name of the image -> path, colours, width and height
VIEWS: Final = {
    "console": ("order-17", "light", 1100, 760),
    "console-list": (None, "light", 1100, 620),
}


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("there is no chromium here: apt-get install chromium")
    IMAGES.mkdir(exist_ok=True)
    with running([declared("order", handler="examples.order:order")]) as server, sync_playwright() as playwright:
        arns = {f"order-{number}": _ordered(server, number) for number in range(16, 20)}
        for arn in arns.values():
            until(partial(_has, server, arn, "CallbackStarted", "ExecutionFailed"), "the approval")
        _approve(server, arns["order-18"])
        until(lambda: _has(server, arns["order-18"], "ExecutionSucceeded"), "the delivery")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, (shown, colours, width, height) in VIEWS.items():
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="dark" if colours == "dark" else "light")
            page.goto(f"{server.url}/console{'/' if shown is None else page_of(arns[shown])}")
            page.locator("#counts .count" if shown is None else ".operation").first.wait_for()
            page.screenshot(path=IMAGES / f"{name}.png")
            page.close()
        browser.close()


def _ordered(server: Running, number: int) -> str:
    card = "4242-4240" if number == 16 else "4242-4242"  # the bank declines the first
    payload = {"id": str(number), "card": card, "items": ["lamp", "chair", "book"], "total": 120}
    answer = server.client.invoke(
        FunctionName="order:$LATEST",
        InvocationType="Event",
        Payload=json.dumps(payload).encode(),
        DurableExecutionName=f"order-{number}",
    )
    return text_of(answer, "DurableExecutionArn")


def _has(server: Running, arn: str, *kinds: str) -> bool:
    return any(event["EventType"] in kinds for event in events_of(server.client, arn))


def _approve(server: Running, arn: str) -> None:
    (waits,) = [event for event in events_of(server.client, arn) if event["EventType"] == "CallbackStarted"]
    server.client.send_durable_execution_callback_success(
        CallbackId=waits["CallbackStartedDetails"]["CallbackId"], Result=json.dumps({"by": "ann", "decision": "ship"}).encode()
    )


if __name__ == "__main__":
    main()
