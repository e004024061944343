"""What a log line is about: fields that go with every record while they are set, also in tasks that are begun meanwhile.

Rule: names and ids alone, never payloads or secrets.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_fields: Final[ContextVar[Mapping[str, str]]] = ContextVar("_fields")
_NONE: Final[Mapping[str, str]] = {}


@contextmanager
def about(fields: dict[str, str]) -> Generator[None]:
    """Until the end of the block; what is added to `fields` meanwhile counts too."""
    token = _fields.set(fields)
    try:
        yield
    finally:
        _fields.reset(token)


def log_fields() -> Mapping[str, str]:
    return _fields.get(_NONE)
