"""Checkpoint tokens and callback ids: who they belong to, in the open, and a part that nobody can guess.

Rule: both are derived from an invocation's secret by a keyed hash, so a token tells nothing about the next one, and
nothing has to be stored per token. What is encoded is ASCII without `>`, `?` and `~`; its Base64 therefore never
contains `+` or `/`, and survives clients that forget to escape them in URLs.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from hashlib import blake2b
from typing import NamedTuple

from everstep.service.machine.rejection import invalid


class TokenOwner(NamedTuple):
    """Whom a checkpoint token names. Not proof of anything: only an equal token is."""

    execution_id: str
    invocation: int
    checkpoint: int


class CallbackOwner(NamedTuple):
    """Whom a callback id names. Not proof of anything: only an equal id is."""

    execution_id: str
    operation_id: str


def mint_token(execution_id: str, invocation: int, checkpoint: int, secret: bytes) -> str:
    """The token for the checkpoint after `checkpoint` accepted ones. secret: up to 64 bytes, unguessable."""
    place = f"{execution_id}:{invocation}:{checkpoint}:"
    return b64encode((place + _proof(place, secret)).encode()).decode()


def parse_token(token: str) -> TokenOwner | None:
    """None if it cannot be one of ours."""
    parts = _parts(token)
    if len(parts) != 4 or not (parts[1].isdecimal() and parts[2].isdecimal()):
        return None
    return TokenOwner(parts[0], int(parts[1]), int(parts[2]))


def mint_callback_id(execution_id: str, operation_id: str, secret: bytes) -> str:
    """The id of a callback, the same for the same arguments. secret: up to 64 bytes, unguessable."""
    place = f"{execution_id}:{operation_id}:"
    return b64encode((place + _proof(place, secret)).encode()).decode()


def parse_callback_id(callback_id: str) -> CallbackOwner:
    """Whose callback it is. Raises Rejected if it cannot be one of ours."""
    parts = _parts(callback_id) if len(callback_id) <= 1024 else []
    if len(parts) != 3 or not (parts[0] and parts[1]):
        raise invalid("Invalid callback id")
    return CallbackOwner(parts[0], parts[1])


def is_same(presented: str, expected: str) -> bool:
    """Whether somebody holds this token or id. How long it takes does not tell how much of it was right."""
    return hmac.compare_digest(presented.encode(), expected.encode())


def _proof(place: str, secret: bytes) -> str:
    return blake2b(place.encode(), key=secret, digest_size=16).hexdigest()


def _parts(encoded: str) -> list[str]:
    try:
        return b64decode(encoded, validate=True).decode("ascii").split(":")
    except (Base64Error, ValueError):  # not Base64, or not our text in it
        return []
