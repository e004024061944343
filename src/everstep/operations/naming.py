"""Names of operations: given by the user, or taken from a function.

Rule: a given name must be one the service accepts; an inferred one that is not is left out.
"""

from __future__ import annotations

from collections.abc import Callable

from everstep.errors import UsageError
from everstep.protocol.limits import MAX_NAME, SUB_TYPE_PATTERN


def given_name(name: str) -> str | None:
    """A name that the user gave ("" means: none). Raises UsageError if the service would refuse it."""
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # users may break the type
        raise UsageError(f"an operation's name is {name!r}; it must be a string")
    if name.isascii() and name.isprintable() and len(name) <= MAX_NAME:  # as `_is_accepted`, without a call for every step
        return name or None
    raise UsageError(
        f"an operation's name is {name[:80]!r} ({len(name)} characters); it must be 1 to {MAX_NAME} printable ASCII characters"
    )


def inferred_name(function: Callable[..., object]) -> str | None:
    """A name from the function: none for a lambda or a name the service does not take."""
    name: str | None = getattr(function, "__name__", None) or getattr(getattr(function, "func", None), "__name__", None)
    if not name or name[0] == "<" or not _is_accepted(name):
        return None
    return name


def _is_accepted(name: str) -> bool:
    """What NAME_PATTERN says of a name that is not empty, at a third of the cost."""
    return name.isascii() and name.isprintable() and len(name) <= MAX_NAME


def checked_sub_type(sub_type: str) -> str:
    """A sub-type that the user gave. Raises UsageError if the service would refuse it."""
    if not SUB_TYPE_PATTERN.fullmatch(sub_type):
        raise UsageError(f"a sub-type is {sub_type!r}; it must be 1 to 32 letters, digits, '-' or '_'")
    return sub_type
