"""The packages that only some stages need."""

from __future__ import annotations

from everstep.errors import UsageError


def missing(package: str, *, extra: str, needed_by: str) -> UsageError:
    """The error for a package that is not installed."""
    return UsageError(f"{needed_by} needs the package {package}, which is not installed: pip install 'everstep[{extra}]'")
