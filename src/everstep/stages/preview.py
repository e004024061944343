"""A short, redacted excerpt of a value, for people who look at a record without its payload.

Rule: what is excluded or masked is never shown, wherever it stands below; what is too much is left out, and the excerpt is
valid JSON of at most so many bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

import msgspec

from everstep.errors import UsageError

Path: TypeAlias = tuple[str, ...]

_MASKED: Final = "***"
_CUT: Final = "…"
_MAX_TEXT: Final = 100  # characters of a string that are shown
_NOTHING: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Which fields of a value are shown.

    A field is named by its name anywhere ("email"), by its path from the root ("customer.email", through lists too), or at
    the root only (".email"). include: fields to show, with all that is in them; None for all. exclude: fields to leave out,
    which goes before all else. mask: fields to show as "***". max_bytes: of the excerpt. max_depth: of objects and lists
    within each other; "…" stands for deeper ones and for the rest of a long string.
    """

    include: Sequence[str] | None = None
    exclude: Sequence[str] = ()
    mask: Sequence[str] = ()
    max_bytes: int = 1024
    max_depth: int = 4

    def __post_init__(self) -> None:
        if any(isinstance(names, str) for names in (self.include, self.exclude, self.mask)):
            raise UsageError('include, exclude and mask are lists of fields, such as ["id"], and one is a string')
        if self.max_bytes < 2 or self.max_depth < 1:
            raise UsageError(f"max_bytes is {self.max_bytes} and max_depth {self.max_depth}; the least are 2 and 1")

    def of(self, text: str) -> str | None:
        """The excerpt of a value's JSON, as JSON; None if nothing is to be shown, or the text is no JSON."""
        try:
            value = msgspec.json.decode(text)
        except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
            return None
        excerpt = _Excerpt(self).of(value, (), self.max_depth, is_shown=self.include is None)
        return None if excerpt is _NOTHING else msgspec.json.encode(excerpt).decode()


class _Excerpt:
    """One that is being made: fields are taken as they come, until one does not fit any more."""

    def __init__(self, rules: Preview) -> None:
        self._include = _Fields(rules.include or ())
        self._exclude = _Fields(rules.exclude)
        self._mask = _Fields(rules.mask)
        self._left = rules.max_bytes
        self._owed = 0  # bytes of what is around a part: they are taken with the first part that is shown
        self._is_full = False

    def of(self, value: object, path: Path, depth: int, *, is_shown: bool) -> object:
        """What is shown of the value, or _NOTHING. depth: levels that are left. is_shown: as a part of what is shown."""
        if path in self._exclude:
            return _NOTHING
        if path in self._mask:
            return self._taken(_MASKED)
        is_shown = is_shown or path in self._include
        if not isinstance(value, dict | list):
            return self._taken(_shortened(value)) if is_shown else _NOTHING
        if not depth:
            return self._taken(_CUT) if is_shown else _NOTHING
        before = self._owed
        self._owed += 2  # for the brackets
        parts: dict[str, object] | list[object]
        if isinstance(value, dict):
            parts = self._of_object(cast("dict[str, object]", value), path, depth - 1, is_shown=is_shown)
        else:
            parts = self._of_list(cast("list[object]", value), path, depth - 1, is_shown=is_shown)
        if parts:
            return parts
        self._owed = before
        return self._taken(parts) if is_shown else _NOTHING

    def _of_object(self, value: dict[str, object], path: Path, depth: int, *, is_shown: bool) -> dict[str, object]:
        parts: dict[str, object] = {}
        for name, part in value.items():
            if self._is_full:
                break
            before = self._owed
            self._owed += _size(name) + 2  # for the colon and the comma
            shown = self.of(part, (*path, name), depth, is_shown=is_shown)
            if shown is _NOTHING:
                self._owed = before
            else:
                parts[name] = shown
        return parts

    def _of_list(self, value: list[object], path: Path, depth: int, *, is_shown: bool) -> list[object]:
        parts: list[object] = []
        for part in value:
            if self._is_full:
                break
            before = self._owed
            self._owed += 1  # for the comma
            shown = self.of(part, path, depth, is_shown=is_shown)
            if shown is _NOTHING:
                self._owed = before
            else:
                parts.append(shown)
        return parts

    def _taken(self, value: object) -> object:
        size = self._owed + _size(value)
        self._is_full = size > self._left
        if self._is_full:
            return _NOTHING
        self._left -= size
        self._owed = 0
        return value


class _Fields:
    """Fields as they are named in a Preview."""

    def __init__(self, names: Sequence[str]) -> None:
        self._anywhere = frozenset(names)
        self._paths = frozenset(tuple(name.removeprefix(".").split(".")) for name in names if "." in name)

    def __contains__(self, path: Path) -> bool:
        return bool(path) and (path[-1] in self._anywhere or path in self._paths)


def _size(value: object) -> int:
    return len(msgspec.json.encode(value))


def _shortened(value: object) -> object:
    return value[: _MAX_TEXT - 1] + _CUT if isinstance(value, str) and len(value) > _MAX_TEXT else value
