"""The stores alone: rows of 300 bytes, one a commit, by one client. What no service on that store can exceed with steps one by one."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.load import Figures, run_child
from bench.postgres import raw as raw_postgres
from bench.store_commits import raw as raw_sqlite


async def sequential(url: str) -> Figures:
    """A row is what a step would be."""
    store, _, path = url.partition(":///")
    return {"steps/s": raw_sqlite(Path(path), 1) if store == "sqlite" else await raw_postgres(url, 1)}


if __name__ == "__main__":
    run_child({"sequential": sequential}, sys.argv[1:])
