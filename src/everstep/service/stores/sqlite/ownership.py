"""One service per database file: whoever runs executions from it holds a lock that the operating system keeps.

Rule: the lock ends with its process, however that ends, so nothing is left to clean up after a crash. It is taken on a
file of its own beside the database, because SQLite's locks on the database itself are lost when anybody in the process
closes a descriptor of it.
"""

from __future__ import annotations

import os
import sys
import weakref
from contextlib import suppress
from pathlib import Path

from everstep.service.stores.api import StoreError


class Ownership:
    """The right to run the executions in `database`. Held from `acquire` to `release`."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Raises StoreError if another service, in this process or another, owns the database."""
        # The name is the real path's, so that a symbolic link is no way around the lock.
        path = f"{os.path.realpath(self.database)}-lock"
        while self._descriptor is None:
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            except OSError as error:
                raise StoreError(
                    f"{path}: {error.strerror} (check that the directory exists and can be written to)", is_retryable=False
                ) from error
            if not _lock(descriptor):
                owner = os.read(descriptor, 100).decode(errors="replace").strip() or "unknown"
                os.close(descriptor)
                raise StoreError(
                    f"{self.database} is in use by another service (process {owner}): two on one file would run executions twice. "
                    "Stop the other one, or give this one a file of its own. Several processes share a PostgreSQL store instead.",
                    is_retryable=False,
                )
            if not _still_names(path, descriptor):  # its owner removed the file between our open and our lock
                os.close(descriptor)
                continue
            with suppress(OSError):  # a courtesy to whoever is refused, for which a full disk may have no room
                os.ftruncate(descriptor, 0)
                os.write(descriptor, str(os.getpid()).encode())
            self._descriptor = descriptor
            _held.add(self)

    def release(self) -> None:
        if self._descriptor is None:
            return
        if sys.platform != "win32":  # Windows removes no open file
            os.unlink(f"{os.path.realpath(self.database)}-lock")
        self.abandon()

    def abandon(self) -> None:
        """Close our descriptor without giving up the lock for those who share it: for forked children."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            _held.discard(self)


_held: weakref.WeakSet[Ownership] = weakref.WeakSet()


def _abandon_all() -> None:
    """A forked worker must not keep the database locked when the service that forked it is killed."""
    for ownership in list(_held):
        ownership.abandon()


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> bool:
        try:
            os.lseek(descriptor, 1000, os.SEEK_SET)  # beyond what is read: Windows locks forbid reading
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    os.register_at_fork(after_in_child=_abandon_all)

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _still_names(path: str, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
