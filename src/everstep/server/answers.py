"""What an operation answers with, before it becomes a response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

JSON: Final = "application/json"

_encode: Final = msgspec.json.Encoder().encode


class Answer(Struct, frozen=True, kw_only=True):
    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = {}


def ok(members: object, status: int = 200) -> Answer:
    return Answer(body=_encode(members), status=status, headers={"content-type": JSON})


NOTHING: Final = ok({})
NO_CONTENT: Final = Answer(status=204)
