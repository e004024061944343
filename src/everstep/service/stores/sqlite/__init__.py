"""The store in one SQLite file: a writer thread, a reader thread, and a lock that keeps other services out."""

from everstep.service.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
