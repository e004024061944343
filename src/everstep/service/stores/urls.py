"""Where a service keeps its executions, as a URL."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from everstep.errors import UsageError
from everstep.service.stores.api import Store
from everstep.service.stores.memory import MemoryStore

FORMS: Final = "sqlite:///relative.db, sqlite:////absolute/path.db, postgresql://user@host/database or memory://"


def store_at(url: str) -> Store:
    """The store that `url` names, not yet opened. Raises UsageError for anything but the forms below.

    memory://                 gone when the process ends
    sqlite:///orders.db       a file, relative to the working directory; four slashes: an absolute path
    …?synchronous=normal      SQLite only: faster; a power cut, but no crash, may cost the last moments
    postgresql://user@host/database     as libpq reads it; for any number of services at a time
    …?schema=everstep&lease=10          PostgreSQL only: where the tables are; after how many seconds of silence a service
                                        counts as dead
    """
    if url == "memory://":
        return MemoryStore()
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return _sqlite(url, parts.netloc, parts.path, parts.query)
    if parts.scheme in ("postgresql", "postgres"):
        return _postgres(parts)
    if not parts.scheme or re.fullmatch(r"[a-zA-Z]", parts.scheme):  # a bare path, perhaps with a Windows drive
        raise UsageError(f"{url!r} is not the URL of a store: for a file, write sqlite:///{url}. The forms are {FORMS}.")
    raise UsageError(f"there is no store for {parts.scheme}:// URLs: the forms are {FORMS}.")


def _sqlite(url: str, host: str, path: str, query: str) -> Store:
    from everstep.service.stores.sqlite import SqliteStore

    if host:
        raise UsageError(
            f"{url!r} names a host, {host!r}: a relative path has three slashes, sqlite:///{host}{path}, an absolute one four."
        )
    if path in ("", "/", "/:memory:"):
        raise UsageError(f"{url!r} names no file. For a store in memory, use memory://.")
    options = dict(parse_qsl(query, keep_blank_values=True))
    synchronous = options.pop("synchronous", "full").upper()
    if options or synchronous not in ("FULL", "NORMAL"):
        raise UsageError(f"{url!r}: the one option is synchronous=full or synchronous=normal.")
    return SqliteStore(Path(unquote(path[1:])), synchronous="NORMAL" if synchronous == "NORMAL" else "FULL")


def _postgres(parts: SplitResult) -> Store:
    try:
        from everstep.service.stores.postgres import PostgresStore
    except ImportError as error:
        raise UsageError(
            f"a {parts.scheme}:// store needs psycopg and libpq: pip install 'everstep[postgres]' 'psycopg[binary]' ({error})"
        ) from error
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    schema, lease = options.pop("schema", "everstep"), options.pop("lease", "10")
    try:
        lease_s = float(lease)
    except ValueError:
        raise UsageError(f"lease={lease} is no number of seconds") from None
    if not schema:
        raise UsageError("schema= names no schema")
    url = parts._replace(query=urlencode(options, quote_via=quote)).geturl()
    return PostgresStore(url, schema=schema, lease_s=lease_s)
