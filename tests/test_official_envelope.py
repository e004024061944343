from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Final, TypeAlias, cast
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everstep.errors import ChildContextError
from everstep.official_envelope import OfficialPython, plain_text
from everstep.operations.batch import read_batch
from everstep.serdes import JsonSerdes, serdes_for
from everstep.stages import Compressed, Pipeline, Where

HERE: Final = Where("arn", "operation")
PIPELINE: Final = Pipeline(OfficialPython(), Compressed(above=0))

Leaf: TypeAlias = str | int | float | bool | bytes | UUID | Decimal | date | None
Value: TypeAlias = "Leaf | Sequence[Value] | Mapping[str, Value]"


# -- what the official SDK writes, for these tests ---------------------------------------


@dataclass(frozen=True)
class OfficialBatch:
    """A BatchResult of the official SDK, as its `to_dict` gives it."""

    members: Mapping[str, Value]


def official_text(value: object) -> str:
    """ExtendedTypeSerDes.serialize of the official SDK 3.0."""
    return json.dumps(value if is_primitive(value) else tagged(value), separators=(",", ":"))


def is_primitive(value: object) -> bool:
    return (
        value is None
        or isinstance(value, str | int | float | bool)
        or (isinstance(value, list) and all(map(is_primitive, cast("list[object]", value))))
    )


def tagged(value: object) -> object:
    tag: str
    inner: object
    match value:
        case None:
            tag, inner = "n", value
        case str():
            tag, inner = "s", value
        case bool():
            tag, inner = "b", value
        case int():
            tag, inner = "i", value
        case float():
            tag, inner = "f", value
        case bytes():
            tag, inner = "B", base64.b64encode(value).decode()
        case UUID():
            tag, inner = "u", str(value)
        case Decimal():
            tag, inner = "d", str(value)
        case datetime():
            tag, inner = "dt", value.isoformat()
        case date():
            tag, inner = "D", value.isoformat()
        case list() | tuple():
            parts = cast("Sequence[object]", value)
            tag, inner = "t" if isinstance(value, tuple) else "l", [tagged(part) for part in parts]
        case OfficialBatch():
            return {"t": "br", "v": {name: tagged(part) for name, part in value.members.items()}}
        case dict():
            members = cast("Mapping[str, object]", value)
            tag, inner = "m", {name: tagged(part) for name, part in members.items()}
        case _:
            raise TypeError(type(value))
    return {"t": tag, "v": inner}


def plain(value: object) -> object:
    """The same value in JSON's own types, as our typed reading expects it."""
    if isinstance(value, list | tuple):
        return [plain(part) for part in cast("Sequence[object]", value)]
    if isinstance(value, dict):
        return {name: plain(part) for name, part in cast("Mapping[str, object]", value).items()}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID | Decimal) else value


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
zones = st.none() | st.just(UTC) | st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
leaves = (
    st.none()
    | texts
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.binary(max_size=8)
    | st.uuids()
    | st.decimals(allow_nan=False)
    | st.datetimes(timezones=zones)
    | st.dates()
)
names = texts | st.sampled_from(["t", "v", "everstep", "all", "index"])
values: st.SearchStrategy[Value] = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple) | st.dictionaries(names, inner, max_size=4),
    max_leaves=10,
)
json_values = st.recursive(
    st.none() | texts | st.integers() | st.booleans() | st.sampled_from(["s", "m", "l", "t", "B", "u", "br", "2026-01-01", "aGk="]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(names, inner, max_size=3)
        | st.fixed_dictionaries({"t": st.sampled_from(["s", "n", "m", "l", "t", "B", "D", "dt", "br", "x"]), "v": inner})
    ),
    max_leaves=8,
)
errors = st.fixed_dictionaries({"ErrorMessage": texts, "ErrorType": st.sampled_from(["ValueError", "shop.Declined"])})


@st.composite
def items(draw: st.DrawFn, results: st.SearchStrategy[Value]) -> list[dict[str, Value]]:
    statuses = draw(st.lists(st.sampled_from(["SUCCEEDED", "FAILED", "STARTED"]), max_size=4))
    return [
        {
            "index": index,
            "status": status,
            "result": draw(results) if status == "SUCCEEDED" else None,
            "error": draw(errors) if status == "FAILED" else None,
        }
        for index, status in enumerate(statuses)
    ]


def batch(of: Sequence[Mapping[str, Value]], reason: str = "ALL_COMPLETED") -> OfficialBatch:
    return OfficialBatch({"all": list(of), "completionReason": reason})


# -- reading -------------------------------------------------------------------------------


@given(values)
def test_every_value_of_the_official_sdk_is_read_as_it_was(value: Value) -> None:
    text = official_text(value)

    read = plain_text(text)

    if is_primitive(value):
        assert read is None
        assert json.loads(text) == value
    else:
        assert read is not None
        assert json.loads(read) == plain(value)


@given(values)
def test_a_pipeline_gives_the_value_also_if_it_looks_like_a_record(value: Value) -> None:
    assert json.loads(PIPELINE.read(official_text(value), HERE)) == plain(value)


class Receipt(msgspec.Struct):
    id: UUID
    total: Decimal
    at: datetime
    day: date
    seal: bytes
    parts: tuple[int, str]


def test_a_typed_value_comes_back_as_its_types() -> None:
    id_, at = UUID(int=7), datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
    text = official_text({"id": id_, "total": Decimal("1.50"), "at": at, "day": date(2026, 1, 2), "seal": b"\xff", "parts": (1, "a")})

    receipt = serdes_for(Receipt).deserialize(PIPELINE.read(text, HERE))

    assert receipt == Receipt(id_, Decimal("1.50"), at, date(2026, 1, 2), b"\xff", (1, "a"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"t":"m","v":{"a":{"t":"i","v":1}}}', '{"a":1}'),
        ('{"t":"t","v":[]}', "[]"),
        ('{"t":"m","v":{}}', "{}"),
        ('{"t":"l","v":[{"t":"i","v":1},{"t":"m","v":{}}]}', "[1,{}]"),
        ('{"t":"dt","v":"2026-01-02T03:04:05Z"}', '"2026-01-02T03:04:05Z"'),
        ('{"t":"m","v":{"n":{"t":"i","v":123456789012345678901234567890}}}', '{"n":123456789012345678901234567890}'),
    ],
)
def test_texts_as_the_official_sdk_records_them(text: str, expected: str) -> None:
    assert plain_text(text) == expected


# -- batches -------------------------------------------------------------------------------


@given(items(values), st.sampled_from(["ALL_COMPLETED", "MIN_SUCCESSFUL_REACHED", "FAILURE_TOLERANCE_EXCEEDED"]))
def test_a_batch_is_read_as_one_of_ours(of: list[dict[str, Value]], reason: str) -> None:
    text = plain_text(official_text(batch(of, reason)))

    assert text is not None
    result = read_batch(text, lambda _, recorded: json.loads(PIPELINE.read(recorded, HERE)))
    assert result.completion_reason == reason
    assert [(item.index, item.status) for item in result.all] == [(item["index"], item["status"]) for item in of]
    assert result.get_results() == [plain(item["result"]) for item in of if item["status"] == "SUCCEEDED"]
    assert [error.message for error in result.get_errors()] == [
        cast("Mapping[str, str]", item["error"])["ErrorMessage"] for item in of if item["error"]
    ]


def test_an_item_that_failed_has_no_result_to_be_read() -> None:
    text = plain_text(
        official_text(
            batch(
                [
                    {"index": 0, "status": "FAILED", "result": None, "error": {"ErrorMessage": "no", "ErrorType": "ValueError"}},
                    {"index": 1, "status": "STARTED", "result": None, "error": None},
                    {"index": 2, "status": "SUCCEEDED", "result": None, "error": None},
                ]
            )
        )
    )
    assert text is not None

    result = read_batch(text, lambda _, recorded: serdes_for(int | None).deserialize(recorded))

    assert result.get_results() == [None]
    assert isinstance(result.get_errors()[0], ChildContextError)
    assert isinstance(result.get_errors()[0], ValueError)


@given(items(values))
def test_a_batch_inside_a_value_is_a_value(of: list[dict[str, Value]]) -> None:
    text = plain_text(json.dumps({"t": "m", "v": {"batch": tagged(batch(of))}}, separators=(",", ":")))

    assert text is not None
    assert json.loads(text)["batch"]["completionReason"] == "ALL_COMPLETED"
    assert [item.get("result") for item in json.loads(text)["batch"]["all"]] == [plain(item["result"]) for item in of]


# -- what is none ----------------------------------------------------------------------------


@given(json_values)
def test_a_value_of_ours_is_read_as_it_was_whatever_it_looks_like(value: object) -> None:
    text: str = JsonSerdes[object]().serialize(value)

    assert PIPELINE.read(PIPELINE.write(text, HERE), HERE) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        '{"t":"',
        '{"t":"s","v":"x"}',  # these five never have tags where they stand alone
        '{"t":"i","v":1}',
        '{"t":"n","v":null}',
        '{"t":"l","v":[]}',
        '{"t":"l","v":[{"t":"i","v":1},{"t":"l","v":[]}]}',
        '{"t":"x","v":1}',
        '{"t":"m","v":{},"w":1}',
        '{"t":"m","w":{}}',
        '{"v":{},"t":"m"}',
        '{"t": "m","v":{}}',
        '{"t":"m","v":[]}',
        '{"t":"t","v":{}}',
        '{"t":"m","v":{"a":1}}',
        '{"t":"m","v":{"a":{"t":"i","v":true}}}',
        '{"t":"m","v":{"a":{"t":"i","v":1.0}}}',
        '{"t":"m","v":{"a":{"t":"f","v":1}}}',
        '{"t":"m","v":{"a":{"t":"b","v":0}}}',
        '{"t":"m","v":{"a":{"t":"n","v":0}}}',
        '{"t":"m","v":{"a":{"t":"s","v":null}}}',
        '{"t":"m","v":{"a":{"t":"f","v":NaN}}}',
        '{"t":"B","v":"aGk"}',
        '{"t":"B","v":"aG k="}',
        '{"t":"B","v":"aGl="}',
        '{"t":"B","v":"é"}',
        '{"t":"u","v":"00000000000000000000000000000007"}',
        '{"t":"u","v":"id"}',
        '{"t":"d","v":"1_0"}',
        '{"t":"d","v":"ten"}',
        '{"t":"d","v":10}',
        '{"t":"D","v":"20260102"}',
        '{"t":"D","v":"2026-01-02T00:00:00"}',
        '{"t":"dt","v":"2026-01-02"}',
        '{"t":"dt","v":"soon"}',
        '{"t":"br","v":[]}',
        '{"t":"br","v":{"all":{"t":"l","v":[]}}}',
        '{"t":"br","v":{"all":{"t":"t","v":[]},"completionReason":{"t":"s","v":"ALL_COMPLETED"}}}',
        '{"t":"br","v":{"all":{"t":"l","v":[{"t":"m","v":{}}]},"completionReason":{"t":"s","v":"ALL_COMPLETED"}}}',
        '{"t":"br","v":{"all":{"t":"l","v":[]},"completionReason":{"t":"n","v":null}}}',
        '{"t":"m","v":{"a":{"t":"s","v":"\\ud800"}}}',
        '{"t":"t","v":[' * 10_000,
    ],
)
def test_what_the_official_sdk_does_not_write_is_left_alone(text: str) -> None:
    assert plain_text(text) is None
    assert PIPELINE.read(PIPELINE.write(text, HERE), HERE) == text


@given(items(values), st.sampled_from(["index", "status", "error"]), st.sampled_from([None, True, "x", 1.5]))
def test_a_batch_with_an_item_that_can_not_be_is_left_alone(of: list[dict[str, Value]], name: str, wrong: Value) -> None:
    if of and not (name == "error" and wrong is None):
        of[-1][name] = wrong

        assert plain_text(official_text(batch(of))) is None


def test_an_ordinary_text_is_only_looked_at() -> None:
    text = '{"total":1}'

    assert OfficialPython().write(text, HERE) is text
    assert OfficialPython().read(text, HERE) is text
