"""Markers: where the next page of a listing begins.

Rule: opaque to clients, good for a day, and only for the listing that gave them, in the same order and with the same filter.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from typing import Final

import msgspec

from everstep.server.errors import invalid

LIFETIME_MS: Final = 24 * 60 * 60 * 1000
"""Source: Lambda API model, Marker."""

_decode: Final = msgspec.json.Decoder(tuple[str, int, list[int | str]]).decode


def write(listing: tuple[object, ...], position: list[int | str], now_ms: int) -> str:
    """listing: what identifies the listing. position: where to go on."""
    return urlsafe_b64encode(msgspec.json.encode((_name(listing), now_ms, position))).decode()


def read(marker: str, listing: tuple[object, ...], now_ms: int) -> list[int | str]:
    """The position. Raises ApiError if the marker is not of this listing, or too old."""
    try:
        name, written_at, position = _decode(urlsafe_b64decode(marker))
    except (ValueError, msgspec.DecodeError):
        raise invalid("Invalid Marker") from None
    if name != _name(listing) or now_ms - written_at > LIFETIME_MS:
        raise invalid("Invalid Marker")
    return position


def _name(listing: tuple[object, ...]) -> str:
    return blake2b(repr(listing).encode(), digest_size=12).hexdigest()
