"""What `everstep worker` and the server say to each other: many invocations in one answer, many calls in one request.

Rule: it is MessagePack, in which bodies go as they are. A checkpoint's request and answer are the API's own JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct, msgpack

MSGPACK: Final = "application/vnd.msgpack"

Kind: TypeAlias = Literal["response", "error"]

_encode: Final = msgpack.Encoder().encode


class Asked(Struct, frozen=True):
    """slots: names of the worker's, each of which can take an invocation."""

    slots: Sequence[str]


class Given(Struct, frozen=True):
    """An invocation. headers: as the Runtime API has them, by lower-case name."""

    slot: str
    headers: Mapping[str, str]
    event: bytes


class Checkpoint(Struct, frozen=True, tag="checkpoint"):
    """CheckpointDurableExecution."""

    arn: str
    body: bytes


class Outcome(Struct, frozen=True, tag="outcome"):
    """What became of an invocation."""

    request_id: str
    kind: Kind
    body: bytes


class Reply(Struct, frozen=True):
    """To a call. headers: by lower-case name."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}


Message: TypeAlias = Checkpoint | Outcome

_asked: Final = msgpack.Decoder(Asked).decode
_given: Final = msgpack.Decoder(list[Given]).decode
_messages: Final = msgpack.Decoder(list[Message]).decode
_replies: Final = msgpack.Decoder(list[Reply]).decode


def written(what: Asked | Sequence[Given] | Sequence[Message] | Sequence[Reply]) -> bytes:
    return _encode(what)


# Each raises msgspec.DecodeError if it is something else.


def read_asked(body: bytes) -> Asked:
    return _asked(body)


def read_given(body: bytes) -> Sequence[Given]:
    return _given(body)


def read_messages(body: bytes) -> Sequence[Message]:
    return _messages(body)


def read_replies(body: bytes) -> Sequence[Reply]:
    return _replies(body)
