"""What is to be linted and by which rules: `[tool.everstep.lint]` of a pyproject.toml, and the options of the command over it.

Rule: a name that is not known is refused, so that a slip of the pen switches nothing off.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, TypeGuard, cast

from everstep.errors import UsageError
from everstep.lint.check import ALL, IDS

_NAMES: Final = ("select", "ignore", "exclude")


@dataclass(frozen=True, slots=True)
class Settings:
    """selected: ids of rules. exclude: patterns of paths that are left out."""

    selected: frozenset[str] = ALL
    exclude: tuple[str, ...] = ()

    def leaves_out(self, path: str) -> bool:
        """path: relative to where the patterns are, with forward slashes."""
        return any(fnmatchcase(path, pattern) or fnmatchcase(path, f"{pattern.rstrip('/')}/*") for pattern in self.exclude)


def settings(
    pyproject: str = "",
    *,
    select: Iterable[str] | None = None,
    ignore: Iterable[str] | None = None,
    exclude: Iterable[str] | None = None,
) -> Settings:
    """The settings in the text of a pyproject.toml, and those that are given over it. Raises UsageError."""
    table = _table(pyproject)
    chosen = _ids(select, "--select") if select is not None else _ids(table.get("select", []), "select")
    dropped = _ids(ignore, "--ignore") if ignore is not None else _ids(table.get("ignore", []), "ignore")
    left_out = table.get("exclude", []) if exclude is None else list(exclude)
    return Settings((chosen or ALL) - dropped, tuple(left_out))


def _table(pyproject: str) -> Mapping[str, list[str]]:
    try:
        read = tomllib.loads(pyproject)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"pyproject.toml is not TOML: {error}") from None
    found: object = read
    for name in ("tool", "everstep", "lint"):
        found = cast("dict[str, object]", found).get(name, {}) if isinstance(found, dict) else {}
    table = cast("dict[str, object]", found) if isinstance(found, dict) else {}
    for name, value in table.items():
        if name not in _NAMES:
            raise UsageError(f"[tool.everstep.lint] has no setting {name!r}: there are {', '.join(_NAMES)}")
        if not _is_list_of_text(value):
            raise UsageError(f"[tool.everstep.lint] {name} is {value!r}: it must be a list of strings")
    return cast("dict[str, list[str]]", table)


def _is_list_of_text(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(one, str) for one in cast("list[object]", value))


def _ids(names: Iterable[str], where: str) -> frozenset[str]:
    given = [name.strip() for name in names if name.strip()]
    for name in given:
        if name not in IDS:
            raise UsageError(f"{where}: there is no rule {name!r}; `everstep lint --rules` lists those that there are")
    return frozenset(IDS[name] for name in given)
