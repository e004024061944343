"""Values that the official Python SDK recorded, so that an execution it began can be finished here.

Rule: only what that SDK writes to the letter is recognised, `{"t":<tag>,"v":…}` around every value inside; everything else
is left as it is. It costs one look at how the text starts. Texts of ours that could be taken for one are escaped.
Source: ExtendedTypeSerDes of the official SDK 3.0. It writes null, strings, numbers, booleans and lists of these as plain JSON.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from typing import Final, cast

import msgspec

from everstep.stages.api import Where
from everstep.stages.envelope import escaped, is_envelope

_START: Final = '{"t":"'


def plain_text(text: str) -> str | None:
    """Plain JSON for what the official SDK recorded, to be read as any annotation; None if this is no such text.

    Bytes, UUIDs, decimals and dates become the strings that msgspec reads them from, tuples lists, and a batch's result our
    own form of it: {"all": […], "completionReason": …}.
    """
    if not text.startswith(_START):
        return None
    try:
        tree = msgspec.json.decode(text)
        tag, value = _parts(tree)
        if tag == "br":
            return msgspec.json.encode(_batch(value, _item_text)).decode()
        if tag in _PRIMITIVES or (tag == "l" and all(map(_needs_no_tags, _as_list(value)))):
            return None
        return msgspec.json.encode(_plain(tree)).decode()
    except (_NotOfficialError, msgspec.MsgspecError, RecursionError, UnicodeError):
        return None


def unambiguous(text: str) -> str:
    """The text, escaped if it looks like a stage's envelope or like what the official SDK records."""
    return escaped(text) if is_envelope(text) or plain_text(text) is not None else text


class OfficialPython:
    """A stage that reads what the official Python SDK recorded. It writes nothing of the kind: it is for values' JSON, so it
    comes first in a pipeline."""

    blocks = False

    def __repr__(self) -> str:
        return "OfficialPython()"

    def write(self, text: str, where: Where) -> str:
        """See Stage."""
        return unambiguous(text) if text.startswith(_START) else text

    def read(self, text: str, where: Where) -> str:
        """See Stage."""
        plain = plain_text(text)
        return text if plain is None else unambiguous(plain)


# -- the tree ----------------------------------------------------------------------


class _NotOfficialError(Exception):
    """The text is not the official SDK's."""


def _parts(node: object) -> tuple[str, object]:
    """(tag, value) of a tagged value."""
    if isinstance(node, dict):
        members = cast("dict[str, object]", node)
        if len(members) == 2 and "v" in members:
            tag = members.get("t")
            if isinstance(tag, str):
                return tag, members["v"]
    raise _NotOfficialError


def _plain(node: object) -> object:
    """The value without tags."""
    tag, value = _parts(node)
    if tag in ("l", "t"):
        return [_plain(part) for part in _as_list(value)]
    if tag == "m":
        return {name: _plain(part) for name, part in _as_object(value).items()}
    if tag == "br":
        return _batch(value, lambda item: item)
    kind = _PRIMITIVES.get(tag)
    if kind is not None:
        if type(value) is not kind:
            raise _NotOfficialError
        return value
    is_one = _IS_TEXT_OF.get(tag)
    if is_one is None or not isinstance(value, str) or not is_one(value):
        raise _NotOfficialError
    return value


def _needs_no_tags(node: object) -> bool:
    """Whether the official SDK writes the value as plain JSON where it stands alone."""
    tag, value = _parts(node)
    return tag in _PRIMITIVES or (tag == "l" and all(map(_needs_no_tags, _as_list(value))))


def _as_list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise _NotOfficialError
    return cast("list[object]", value)


def _as_object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _NotOfficialError
    return cast("dict[str, object]", value)


# -- batches -----------------------------------------------------------------------

_STATUSES: Final = ("SUCCEEDED", "FAILED", "STARTED")


def _batch(value: object, of_result: Callable[[object], object]) -> dict[str, object]:
    members = _as_object(value)
    if members.keys() != {"all", "completionReason"}:
        raise _NotOfficialError
    reason = _plain(members["completionReason"])
    tag, items = _parts(members["all"])
    if tag != "l" or not isinstance(reason, str):
        raise _NotOfficialError
    return {"all": [_item(item, of_result) for item in _as_list(items)], "completionReason": reason}


def _item(node: object, of_result: Callable[[object], object]) -> dict[str, object]:
    """An item of a batch as we record it, which has only the members that say something."""
    tag, value = _parts(node)
    members = {name: _plain(part) for name, part in _as_object(value).items()}
    if tag != "m" or members.keys() != {"index", "status", "result", "error"}:
        raise _NotOfficialError
    index, status, error = members["index"], members["status"], members["error"]
    if type(index) is not int or status not in _STATUSES or not (error is None or isinstance(error, dict)):
        raise _NotOfficialError
    item: dict[str, object] = {"index": index, "status": status}
    if status == "SUCCEEDED":
        item["result"] = of_result(members["result"])
    if error is not None:
        item["error"] = error
    return item


def _item_text(result: object) -> msgspec.Raw:
    """The result as an item's recorded text, which is read by itself."""
    return msgspec.Raw(unambiguous(msgspec.json.encode(result).decode()).encode())


# -- values that are text in JSON -----------------------------------------------------


def _is_base64(text: str) -> bool:
    try:
        return b2a_base64(a2b_base64(text, strict_mode=True), newline=False).decode() == text
    except (Base64Error, ValueError):
        return False


def _is_uuid(text: str) -> bool:
    from uuid import UUID

    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _is_decimal(text: str) -> bool:
    from decimal import Decimal, InvalidOperation

    try:
        return str(Decimal(text)) == text
    except InvalidOperation:
        return False


def _is_datetime(text: str) -> bool:
    from datetime import datetime

    try:
        written = datetime.fromisoformat(text).isoformat()
    except ValueError:
        return False
    return text in (written, written.removesuffix("+00:00") + "Z")


def _is_date(text: str) -> bool:
    from datetime import date

    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


_PRIMITIVES: Final[Mapping[str, type]] = {"n": type(None), "s": str, "i": int, "f": float, "b": bool}
_IS_TEXT_OF: Final[Mapping[str, Callable[[str], bool]]] = {
    "B": _is_base64,
    "u": _is_uuid,
    "d": _is_decimal,
    "dt": _is_datetime,
    "D": _is_date,
}
