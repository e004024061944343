"""The tables of the PostgreSQL store, and how they come into being: by the scripts in `migrations`, in one transaction.

Rule: a migration only adds, so that instances of the version before go on while the first one of the next is starting.
Whoever migrates holds a lock that makes the others wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Identifier

from everstep.service.stores.api import StoreError
from everstep.service.stores.migrations import scripts_in

LOCK: Final = 0x45565354  # "EVST"


@cache
def migrations() -> Sequence[str]:
    return scripts_in(__package__ or "")


async def migrate(connection: AsyncConnection[TupleRow], schema: str, scripts: Sequence[str] | None = None) -> None:
    """Bring `schema` up to date, creating it if need be. scripts: instead of `migrations()`.

    Raises StoreError as `check_version` does.
    """
    scripts = migrations() if scripts is None else scripts
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        version = await check_version(connection, schema, len(scripts))
        if version is None:
            await _found(connection, schema)
            version = 0
        await connection.execute(SQL("SET LOCAL search_path TO {}").format(Identifier(schema)))
        for number, script in enumerate(scripts[version:], start=version + 1):
            await connection.execute(script.encode())
            await connection.execute("UPDATE schema_version SET version = %s", (number,))


async def check_version(connection: AsyncConnection[TupleRow], schema: str, known: int) -> int | None:
    """The schema's version, up to `known`; None if nothing is there yet. Raises StoreError if it is newer, or not ours."""
    cursor = await connection.execute(
        "SELECT array_agg(c.relname::text) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s", (schema,)
    )
    row = await cursor.fetchone()
    tables: list[str] = row[0] if row is not None and row[0] else []
    if not tables:
        return None
    if "schema_version" not in tables:
        raise StoreError(f"the schema {schema!r} holds another program's tables: give the service a schema of its own", is_retryable=False)
    cursor = await connection.execute(SQL("SELECT version FROM {}").format(Identifier(schema, "schema_version")))
    row = await cursor.fetchone()
    assert row is not None
    version: int = row[0]
    if version > known:
        raise StoreError(
            f"the schema {schema!r} has version {version}, written by a newer Everstep; this one knows versions up to {known}. "
            "Upgrade everstep, or use another schema.",
            is_retryable=False,
        )
    return version


async def _found(connection: AsyncConnection[TupleRow], schema: str) -> None:
    cursor = await connection.execute("SELECT FROM pg_namespace WHERE nspname = %s", (schema,))
    if await cursor.fetchone() is None:  # IF NOT EXISTS would ask for the right to create schemas even where one exists
        await connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(schema)))
    await connection.execute(SQL("CREATE TABLE {} (version bigint NOT NULL)").format(Identifier(schema, "schema_version")))
    await connection.execute(SQL("INSERT INTO {} VALUES (0)").format(Identifier(schema, "schema_version")))
