"""What a log line is about: fields that go with every record while they are set, also in tasks that are begun meanwhile.

Rule: names and ids alone, never payloads or secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final

_fields: Final[ContextVar[Mapping[str, str]]] = ContextVar("_fields")
_NONE: Final[Mapping[str, str]] = {}


class about:  # noqa: N801 - it is used as a verb
    """Until the end of the block; what is added to `fields` meanwhile counts too."""

    __slots__ = ("_before", "_given")

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._given = fields

    def __enter__(self) -> None:
        self._before = _fields.set(self._given)

    def __exit__(self, *error: object) -> None:
        _fields.reset(self._before)


def log_fields() -> Mapping[str, str]:
    return _fields.get(_NONE)
