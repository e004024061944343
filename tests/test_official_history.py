"""An execution that the official Python SDK began is finished by ours, from wherever it had come to.

The golden file is an execution of the official SDK 3.0.0, as its invocation events bring it: steps with tagged values, a wait,
a caught failure, a child context, a map and a parallel, each with explicit names.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from everstep import DurableContext, Retry, durable
from tests.test_lambda import ARN, Lambda

GOLDEN = json.loads(Path(__file__).with_name("golden").joinpath("official-python-3.0.0.json").read_text())
OPERATIONS: list[dict[str, Any]] = GOLDEN["event"]["InitialExecutionState"]["Operations"]


@dataclass
class Record:
    id: int
    at: datetime
    total: Decimal
    key: UUID
    tags: tuple[str, str]
    raw: bytes


async def record() -> Record:
    return Record(7, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), Decimal("12.50"), UUID(int=5), ("a", "b"), b"xyz")


async def broken() -> None:
    raise ZeroDivisionError("division by zero")


async def number() -> int:
    return 41


async def pair() -> list[int]:
    return [1, 2]


async def doubled(item: int) -> dict[str, int]:
    return {"double": item * 2}


async def letter(which: str) -> str:
    return which


async def order(event: dict[str, int], ctx: DurableContext) -> dict[str, object]:
    kept = await ctx.step(record, name="record")
    assert kept == await record()
    await ctx.wait(1, name="pause")
    n = await ctx.step(number, name="plain")
    caught = None
    try:
        await ctx.step(broken, name="broken", retry=Retry.none())
    except ZeroDivisionError as error:
        caught = str(error)

    async def child(inner: DurableContext) -> dict[str, list[int]]:
        return {"inner": await inner.step(pair, name="in child")}

    async def item(inner: DurableContext, value: int) -> dict[str, int]:
        return await inner.step(doubled, value, name="double")

    async def left(inner: DurableContext) -> str:
        return await inner.step(letter, "x", name="left")

    async def right(inner: DurableContext) -> str:
        return await inner.step(letter, "y", name="right")

    inside = await ctx.run_in_child_context(child, name="child")
    mapped = await ctx.map([1, 2, 3], item, name="map", max_concurrency=1)
    both = await ctx.parallel([left, right], name="par", max_concurrency=1)
    return {
        "total": str(kept.total),
        "n": n,
        "caught": caught,
        "inner": inside["inner"],
        "map": [result["double"] for result in mapped.get_results()],
        "par": both.get_results(),
    }


@pytest.mark.parametrize("recorded", range(1, len(OPERATIONS) + 1))
def test_ours_finishes_what_the_official_sdk_began(recorded: int) -> None:
    service = Lambda()
    service.operations = {operation["Id"]: dict(operation) for operation in as_of(recorded)}
    handler = durable(client=service)(order)

    output = handler(event_of(service), object())
    while output["Status"] == "PENDING":
        service.end_waits()
        output = handler(event_of(service), object())

    assert output["Status"] == "SUCCEEDED", output
    assert json.loads(str(output["Result"])) == json.loads(GOLDEN["output"]["Result"])
    assert set(service.operations) == {operation["Id"] for operation in OPERATIONS}, "the same ids"
    if recorded == len(OPERATIONS):
        assert service.calls == []


def as_of(recorded: int) -> list[dict[str, Any]]:
    """The first so many operations, as they were when no further one had begun: contexts around that one were still open."""
    kept = OPERATIONS[:recorded]
    rest = OPERATIONS[recorded:]
    parents: dict[str, str | None] = {operation["Id"]: operation.get("ParentId") for operation in OPERATIONS}
    open_ids: set[str] = set()
    for operation in rest:
        parent = parents[operation["Id"]]
        while parent is not None:
            open_ids.add(parent)
            parent = parents[parent]
    return [
        {key: value for key, value in operation.items() if key not in ("EndTimestamp", "ContextDetails")} | {"Status": "STARTED"}
        if operation["Id"] in open_ids
        else operation
        for operation in kept
    ]


def event_of(service: Lambda) -> dict[str, Any]:
    event = service.event()
    event["DurableExecutionArn"] = ARN.rsplit("/", 1)[0] + "/" + OPERATIONS[0]["Id"]
    return event
