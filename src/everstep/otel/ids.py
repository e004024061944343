"""Ids of traces and spans, and X-Ray's header.

Rule: pure. What is a fact of an execution (itself, an operation) has an id that every process works out alike; what ran (an
invocation, an attempt) has one that also names the invocation, since a lost one may run again.
"""

from __future__ import annotations

import re
from datetime import datetime
from hashlib import blake2b
from typing import Final, NamedTuple

_ROOT: Final = re.compile(r"1-([0-9a-f]{8})-([0-9a-f]{24})")
_PARENT: Final = re.compile(r"[0-9a-f]{16}")


def span_id(*parts: str) -> int:
    """64 bits, never 0."""
    return int.from_bytes(blake2b("\0".join(parts).encode(), digest_size=8).digest(), "big") or 1


def trace_id(began: datetime, *parts: str) -> int:
    """128 bits. The first 32 are the time, in seconds, as X-Ray wants it; an execution's never changes."""
    seconds = int(began.timestamp()) & 0xFFFFFFFF
    return seconds << 96 | int.from_bytes(blake2b("\0".join(parts).encode(), digest_size=12).digest(), "big")


class TraceHeader(NamedTuple):
    """X-Ray's header, as far as it can be read."""

    trace_id: int | None = None
    parent_id: int | None = None
    is_sampled: bool | None = None


def read_header(text: str | None) -> TraceHeader:
    """`Root=1-…;Parent=…;Sampled=1`. What is missing or malformed is None."""
    members: dict[str, str] = {}
    for part in (text or "").split(";"):
        name, _, value = part.strip().partition("=")
        members[name] = value
    root = _ROOT.fullmatch(members.get("Root", "").lower())
    parent = members.get("Parent", "").lower()
    return TraceHeader(
        (int(root[1] + root[2], 16) or None) if root else None,
        (int(parent, 16) or None) if _PARENT.fullmatch(parent) else None,
        {"1": True, "0": False}.get(members.get("Sampled", "")),
    )


def write_header(trace: int, parent: int, *, is_sampled: bool) -> str:
    digits = f"{trace:032x}"
    return f"Root=1-{digits[:8]}-{digits[8:]};Parent={parent:016x};Sampled={is_sampled:d}"
