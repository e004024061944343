"""How a store's tables change from one release to the next: numbered SQL files, applied once, one after another.

Rule: a script is never changed once released. The schema's version is the number of scripts that were applied to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files


def scripts_in(package: str) -> Sequence[str]:
    """The scripts in the package's folder `migrations`; each takes the schema from the version of its index to the next one."""
    found = (entry for entry in (files(package) / "migrations").iterdir() if entry.name.endswith(".sql"))
    return tuple(entry.read_text("utf-8") for entry in sorted(found, key=lambda entry: entry.name))
