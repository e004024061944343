"""A store with executions in every state, made by a service of this version; and what a later one must find in it.

python -m tests.service.stores.story     writes the golden files of the current schema versions, which are then kept for good
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Final

import psycopg
from psycopg.sql import SQL, Literal
from tests.service.fakes import NOON, PENDING, Fake, ManualClock, Run, eventually, step
from tests.service.postgres import Server
from tests.service.test_crashes import order, pack, price

from everstep.errors import ExecutionFailed
from everstep.protocol.shapes import ErrorObject, InvocationOutput
from everstep.service.deliveries import DeliveryFailed
from everstep.service.embedded import Service
from everstep.service.machine.notices import Watch
from everstep.service.stores.api import Store
from everstep.service.stores.postgres import PostgresStore
from everstep.service.stores.postgres.schema import migrations as on_postgres
from everstep.service.stores.sqlite import SqliteStore
from everstep.service.stores.sqlite.schema import migrations as on_sqlite

GOLDEN: Final = Path(__file__).parent.parent.parent / "golden"
SCHEMA: Final = "golden"
TABLES: Final = ("schema_version", "executions", "payloads", "operations", "events", "instances", "webhook_events")
LATER: Final = NOON + 120_000
"""When the story is taken up again."""


class Deaf:
    """A webhook that takes nothing, so that its events are kept."""

    watch = Watch("deaf", statuses=frozenset({"SUCCEEDED"}))

    async def deliver(self, notice_id: str, body: str) -> None:
        raise DeliveryFailed("it is deaf")


async def simple(run: Run) -> object:
    return await run.step("charge", lambda: "grüß dich")


async def broken(run: Run) -> object:
    await run.send(step("charge", "FAIL", error=ErrorObject(error_type="Declined", error_message="no money", stack_trace=["here"])))
    return InvocationOutput(status="FAILED", error=ErrorObject(error_type="Declined"))


async def napping(run: Run) -> object:
    return "awake" if await run.pause("nap", 60) else PENDING


async def asking(run: Run) -> object:
    callback = await run.callback("forever", timeout_s=30)
    return PENDING if callback.status == "STARTED" else callback.status


def functions() -> list[Fake]:
    return [Fake(handler) for handler in (simple, broken, napping, asking, order, pack)]


def registered(service: Service) -> dict[str, Fake]:
    known = {handler.name: handler for handler in functions()}
    for handler in known.values():
        service.register(handler)
    service.register(price)
    return known


async def told(store: Store) -> None:
    """Executions that have ended in four ways, and others that wait for time, for an answer, for a child, or are paused."""
    clock = ManualClock()
    async with Service(store, clock=clock, webhooks=[Deaf()]) as service:
        known = registered(service)
        ended = [await service.start(known[name], {"ü": 1}, name=name) for name in ("simple", "broken")]
        stopped = await service.start(known["napping"], None, name="stopped")
        paused = await service.start(known["napping"], None, name="paused")
        timed_out = await service.start(known["asking"], None, name="asking")
        waiting = await service.start(known["order"], None, name="order")

        async def seen(arn: str, *kinds: str) -> None:
            for _ in range(10_000):
                if {event["EventType"] for event in await service.history(arn)} >= set(kinds):
                    return
            raise AssertionError(f"{arn} has not come to {kinds}")

        for one in ended:
            with suppress(ExecutionFailed):
                await one.result()
        for one in (stopped, paused):
            await seen(one.arn, "WaitStarted", "InvocationCompleted")
        await service.stop(stopped.arn, error=ErrorObject(error_message="enough"))
        await service.pause(paused.arn, reason="lunch")
        await seen(waiting.arn, "StepSucceeded", "InvocationCompleted")
        await seen(timed_out.arn, "CallbackStarted", "InvocationCompleted")
        await eventually(lambda: bool(clock.alarms))
        clock.move(seconds=2)
        await seen(waiting.arn, "ChainedInvokeStarted", "ChainedInvokeSucceeded")
        while not (children := await service.list(function="pack")):
            pass
        await seen(children[0].arn, "WaitStarted", "InvocationCompleted")
        clock.move(seconds=1)


async def statuses(service: Service) -> dict[str, str]:
    return {one.name: one.status for one in await service.list(limit=1_000) if one.function != "pack"}


def _dumped(url: str) -> str:
    """SQL that makes the schema again. (The server comes without a pg_dump of its version.)"""
    with psycopg.connect(url) as connection:
        connection.execute(f"SET search_path TO {SCHEMA}".encode())
        lines = [*on_postgres(), "CREATE TABLE schema_version (version bigint NOT NULL);"]
        for table in TABLES:
            cursor = connection.execute(f"SELECT * FROM {table}".encode())
            for row in cursor.fetchall():
                values = SQL(", ").join(map(Literal, row)).as_string(connection)
                lines.append(f"INSERT INTO {table} VALUES ({values});")
        ((number,),) = connection.execute("SELECT last_value FROM execution_numbers").fetchall()
        lines.append(f"SELECT setval('execution_numbers', {number});")
    return "\n".join(lines) + "\n"


def _make() -> None:
    file = GOLDEN / f"store-sqlite-{len(on_sqlite())}.db"
    file.unlink(missing_ok=True)
    asyncio.run(told(SqliteStore(file)))
    server = Server()
    try:
        asyncio.run(told(PostgresStore(server.url, schema=SCHEMA)))
        (GOLDEN / f"store-postgres-{len(on_postgres())}.sql").write_text(_dumped(server.url))
    finally:
        server.remove()


if __name__ == "__main__":
    _make()
