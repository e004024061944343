from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everstep.errors import UsageError
from everstep.stages import Preview
from tests.stages.fakes import as_json, characters, values

ORDER: Final = {
    "id": "17",
    "email": "shop@example.com",
    "customer": {"name": "Ada", "email": "ada@example.com", "address": {"city": "London", "zip": "NW1"}},
    "lines": [{"sku": "a", "price": 3}, {"sku": "b", "price": 4}],
    "a.b": 1,
}
names = st.sampled_from("abc")
trees = st.recursive(
    st.integers(0, 9) | st.text(characters, max_size=300),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=3),
    max_leaves=25,
)
fields = st.lists(st.lists(names, min_size=1, max_size=3).map(".".join) | names.map(".{}".format), max_size=3)


def shown(value: object, preview: Preview) -> object:
    excerpt = preview.of(as_json(value))
    return None if excerpt is None else json.loads(excerpt)


@pytest.mark.parametrize(
    ("preview", "expected"),
    [
        (Preview(), ORDER),
        (Preview(include=["id"]), {"id": "17"}),
        (Preview(include=["email"]), {"email": "shop@example.com", "customer": {"email": "ada@example.com"}}),
        (Preview(include=[".email"]), {"email": "shop@example.com"}),
        (Preview(include=["customer.email"]), {"customer": {"email": "ada@example.com"}}),
        (Preview(include=["customer"], exclude=["address"]), {"customer": {"name": "Ada", "email": "ada@example.com"}}),
        (Preview(include=["lines.sku"]), {"lines": [{"sku": "a"}, {"sku": "b"}]}),
        (
            Preview(include=["customer"], mask=["address", "customer.name"], exclude=["email"]),
            {"customer": {"name": "***", "address": "***"}},
        ),
        (Preview(include=[], mask=["zip"]), {"customer": {"address": {"zip": "***"}}}),
        (Preview(include=["id", "lines"], max_depth=1), {"id": "17", "lines": "…"}),
        (Preview(include=["zip"], max_depth=2), None),
        (Preview(include=["a.b"]), {"a.b": 1}),
        (Preview(include=["id", "a.b"], exclude=["a.b"]), {"id": "17"}),
        (Preview(include=["nothing"]), None),
        (Preview(include=["id", "lines"], max_bytes=40), {"id": "17", "lines": [{"sku": "a"}]}),
    ],
)
def test_what_is_shown(preview: Preview, expected: object) -> None:
    assert shown(ORDER, preview) == expected


@pytest.mark.parametrize(("value", "expected"), [(17, 17), ("x" * 500, "x" * 99 + "…"), (None, None), ([], []), ({}, {})])
def test_a_value_without_fields_is_shown_if_all_is(value: object, expected: object) -> None:
    assert shown(value, Preview()) == expected
    assert Preview(include=["id"]).of(as_json(value)) is None


@pytest.mark.parametrize("text", ["", "no JSON", "NaN", "[" * 100_000, '"\ud800"'])
def test_there_is_none_of_what_is_no_json(text: str) -> None:
    assert Preview().of(text) is None


@given(values, st.integers(2, 300))
def test_an_excerpt_is_json_of_at_most_so_many_bytes(value: object, max_bytes: int) -> None:
    excerpt = Preview(max_bytes=max_bytes).of(as_json(value))

    if excerpt is not None:
        assert len(excerpt.encode()) <= max_bytes
        json.loads(excerpt)


def parts(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Every field with its path, through lists."""
    if isinstance(value, list):
        for item in cast("Sequence[object]", value):
            yield from parts(item, path)
    elif isinstance(value, dict):
        for name, inner in cast("Mapping[str, object]", value).items():
            yield (*path, name), inner
            yield from parts(inner, (*path, name))


def names_it(field: str, path: tuple[str, ...]) -> bool:
    return field == path[-1] or ("." in field and field.removeprefix(".").split(".") == list(path))


@given(trees, st.none() | fields, fields, fields, st.integers(2, 200), st.integers(1, 4))
def test_what_is_excluded_or_masked_is_never_shown(
    value: object, include: list[str] | None, exclude: list[str], mask: list[str], max_bytes: int, max_depth: int
) -> None:
    excerpt = shown(value, Preview(include=include, exclude=exclude, mask=mask, max_bytes=max_bytes, max_depth=max_depth))

    for path, inner in parts(excerpt):
        assert not any(names_it(field, path[:end]) for field in exclude for end in range(1, len(path) + 1))
        if any(names_it(field, path) for field in mask):
            assert inner == "***"
        elif include is not None and not isinstance(inner, dict | list):
            assert any(names_it(field, path[:end]) for field in include for end in range(1, len(path) + 1))


def test_a_string_is_no_list_of_fields() -> None:
    with pytest.raises(UsageError, match="are lists of fields"):
        Preview(include="id")


@pytest.mark.parametrize(("max_bytes", "max_depth"), [(1, 4), (1024, 0)])
def test_limits_below_the_least_are_refused(max_bytes: int, max_depth: int) -> None:
    with pytest.raises(UsageError, match="the least are 2 and 1"):
        Preview(max_bytes=max_bytes, max_depth=max_depth)
