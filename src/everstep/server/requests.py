"""A request's members: where they stand, what they may be, and what is said when they are something else.

Rule: pure. Lengths, patterns and ranges are reported together as a ValidationException under the members' own paths; what is
no JSON, or of another JSON type, is a SerializationException.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, TypeVar, cast
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from everstep.protocol.shapes import ErrorObject
from everstep.server.errors import invalid, malformed
from everstep.service.machine.validation import Violations

T = TypeVar("T")

DEFAULT_PAGE: Final = 100
LARGEST_PAGE: Final = 1000
MAX_ARN: Final = 1024
MAX_DEPTH: Final = 100
"""Of nested JSON. Nothing in the API comes near it."""
MOMENTS_MS: Final = range(-62_135_596_800_000, 253_402_300_800_000)
"""The years 1 to 9999."""
EXECUTION_ARN: Final = re.compile(
    r"arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\d{12}:function:[a-zA-Z0-9_-]+:(?:\$LATEST(?:\.PUBLISHED)?|[0-9]+)"
    r"/durable-execution/[a-zA-Z0-9_-]+/[a-zA-Z0-9_-]+"
)
_SHOWN_ARN: Final = (
    r"arn:([a-zA-Z0-9-]+):lambda:([a-zA-Z0-9-]+):(\d{12}):function:([a-zA-Z0-9_-]+):(\$LATEST(?:\.PUBLISHED)?|[0-9]+)"
    r"/durable-execution/([a-zA-Z0-9_-]+)/([a-zA-Z0-9_-]+)"
)
_ERROR_MEMBERS: Final = frozenset({"ErrorMessage", "ErrorType", "ErrorData", "StackTrace"})


class Call(Struct, frozen=True, kw_only=True):
    """A request to an operation. labels: from the path, decoded. headers: by lower-case name."""

    operation: str
    labels: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: bytes

    @property
    def execution_arn(self) -> str:
        """Raises Rejected if the path's ARN is none."""
        return check_execution_arn(self.labels["DurableExecutionArn"])

    def text(self, name: str) -> str | None:
        values = self.query.get(name)
        return values[0] if values else None

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.text(name)
        if value is None or value == "":
            return default
        if value.lower() not in ("true", "false"):
            raise malformed(f"'{value}' can not be converted to Boolean")
        return value.lower() == "true"

    def page_size(self, *, default: int = DEFAULT_PAGE, least: int = 0, most: int = LARGEST_PAGE) -> int:
        """MaxItems; absent and 0 mean the default. Raises Rejected or ApiError."""
        return self.whole_number("MaxItems", default=default, least=least, most=most) or default

    def whole_number(self, name: str, *, default: int, least: int, most: int) -> int:
        """Raises Rejected or ApiError."""
        value = self.text(name)
        if value is None or value == "":
            return default
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", value):
            raise malformed(f"'{value}' can not be converted to Integer")
        violations = Violations()
        violations.range(name[0].lower() + name[1:], int(value), least, most)
        violations.reject()
        return int(value)

    def moment(self, name: str) -> int | None:
        """A timestamp in ms since the epoch. Raises ApiError."""
        value = self.text(name)
        if value is None or value == "":
            return None
        try:
            moment = _milliseconds(value)
        except (ValueError, OverflowError):
            moment = None
        if moment is None or moment not in MOMENTS_MS:  # a range looks for None in all of it
            raise malformed(f"'{value}' can not be converted to Date")
        return moment

    def members(self, kind: type[T]) -> T:
        """The body as a shape; an empty one has no members. Members that are null count as absent. Raises ApiError."""
        return read_members(self.body, kind)


def check_execution_arn(arn: str) -> str:
    """Raises Rejected if it is none."""
    if not EXECUTION_ARN.fullmatch(arn) or len(arn) > MAX_ARN:
        violations = Violations()
        violations.pattern("durableExecutionArn", arn, EXECUTION_ARN, MAX_ARN, _SHOWN_ARN)
        violations.reject()
    return arn


def _milliseconds(text: str) -> int:
    """Of a number of seconds, or an ISO 8601 timestamp. Raises ValueError or OverflowError."""
    try:
        return round(float(text) * 1000)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


@lru_cache(256)
def parse_query(query: str) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        found.setdefault(name, []).append(value)
    return found


def read_object(body: bytes) -> dict[str, object]:
    """Raises ApiError if the body is not a JSON object. An empty body is an empty object."""
    if not body.strip():
        return {}
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(f"The request body cannot be read: {error}") from None


def read_members(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.ValidationError:
        return converted(without_nulls(read_object(body)), kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(f"The request body cannot be read: {error}") from None


def converted(members: object, kind: type[T]) -> T:
    """Raises ApiError if the members are not of the types that the shape says."""
    try:
        return msgspec.convert(members, kind)
    except msgspec.ValidationError as error:
        raise malformed(f"The request body cannot be read: {error}") from None


def without_nulls(value: object, depth: int = MAX_DEPTH) -> object:
    """JSON without members that are null, which count as absent. Raises ApiError if it is nested deeper than `depth`."""
    if not isinstance(value, dict | list):
        return value
    if not depth:
        raise malformed(f"The request body cannot be read: it is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        members = cast("dict[str, object]", value).items()
        return {name: without_nulls(member, depth - 1) for name, member in members if member is not None}
    return [without_nulls(member, depth - 1) for member in cast("list[object]", value)]


def read_error(body: bytes) -> ErrorObject | None:
    """A body that is an ErrorObject; None if it is empty or `{}`. One that is wrapped as `Error` is accepted too. Raises ApiError."""
    members = read_object(body)
    wrapped = members.get("Error")
    if isinstance(wrapped, dict) and not _ERROR_MEMBERS & members.keys():
        members = cast("dict[str, object]", wrapped)
    return converted(without_nulls(members), ErrorObject) if members else None


def read_text(body: bytes, what: str) -> str:
    """Raises ApiError if the bytes are no text."""
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise invalid(f"{what} must be UTF-8: {error}") from None
