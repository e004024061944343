"""The tables of the SQLite store, and how a connection is opened: everything that lives in the file for years.

Rule: only features of SQLite 3.34 and later. A file says which schema it has (`user_version`) and that it is ours
(`application_id`); an older schema is brought forward step by step, each
step with its number in one transaction; a newer or foreign file is refused untouched.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final, Literal, TypeAlias

from everstep.service.stores.api import StoreError
from everstep.service.stores.migrations import scripts_in

Synchronous: TypeAlias = Literal["FULL", "NORMAL"]

APPLICATION_ID: Final = 0x45565354  # "EVST"
OLDEST_SQLITE: Final = (3, 34, 0)
BUSY_TIMEOUT_S: Final = 5.0
"""How long to wait for a lock of another program, such as a shell or a backup, before the commit fails."""


@cache
def migrations() -> Sequence[str]:
    return scripts_in(__package__ or "")


def connect_for_writing(path: Path, synchronous: Synchronous) -> sqlite3.Connection:
    """The one connection that changes the file; its schema is up to date afterwards."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StoreError(f"this Python has SQLite {sqlite3.sqlite_version}; the store needs 3.34 or later", is_retryable=False)
    connection = _connect(path)
    try:
        migrate(path, connection)
        # FULL: an acknowledged commit survives a power cut. NORMAL: it survives a crash of the process, not of the machine.
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # the writer says when (writer.py)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_for_reading(path: Path) -> sqlite3.Connection:
    connection = _connect(path)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    # isolation_level=None: transactions begin and end where we say so, on every Python version. Who uses it sees to it that nobody else
    # does at the same time (resident.py).
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)


def migrate(path: Path, connection: sqlite3.Connection, scripts: Sequence[str] | None = None) -> None:
    """Bring the file up to date. scripts: instead of `migrations()`. Raises StoreError as `check_version` does."""
    scripts = migrations() if scripts is None else scripts
    version = check_version(path, connection, len(scripts))
    connection.execute("PRAGMA journal_mode = WAL")
    for number, script in enumerate(scripts[version:], start=version + 1):
        with transaction(connection):
            for statement in _statements(script):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def check_version(path: Path, connection: sqlite3.Connection, known: int) -> int:
    """The schema's version, up to `known`. Raises StoreError if it is newer, or not ours."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != APPLICATION_ID:
        raise StoreError(f"{path} holds another program's tables: give the service a file of its own", is_retryable=False)
    if version > known:
        raise StoreError(
            f"{path} has schema {version}, written by a newer Everstep; this one knows schemas up to {known}. "
            "Upgrade everstep, or use another file.",
            is_retryable=False,
        )
    return version


def _statements(script: str) -> Iterator[str]:
    """One by one, for `executescript` would commit first."""
    statement = ""
    for part in re.split(r"(?<=;)", script):
        statement += part
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    """All of the body or nothing of it. After an I/O error SQLite may have rolled back by itself already."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
