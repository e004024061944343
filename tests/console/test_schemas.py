"""Values to begin with, by a schema."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_schema_validator import OAS31Validator
from pydantic import BaseModel

from everstep.console.schemas import example
from everstep.server.input_schema import schema_of


@dataclass
class Line:
    item: str
    count: int = 1


@dataclass
class Basket:
    lines: list[Line]
    speed: Literal["slow", "fast"]
    note: str | None
    tags: dict[str, str] = field(default_factory=dict[str, str])


@dataclass
class Tree:
    inside: list[Tree]


class Customer(BaseModel):
    name: str
    lines: list[Line]


def test_an_example_has_every_member_with_what_its_type_begins_with() -> None:
    schema = schema_of(Basket)
    assert schema is not None

    assert example(schema) == {"lines": [{"item": "", "count": 1}], "speed": "fast", "note": "", "tags": {}}


@pytest.mark.parametrize("annotation", [Basket, Customer, int, list[Line], dict[str, int], Line | None])
def test_an_example_is_what_its_schema_takes(annotation: object) -> None:
    schema = schema_of(annotation)
    assert schema is not None

    assert [error.message for error in OAS31Validator(schema).iter_errors(example(schema))] == []


def test_a_schema_that_goes_in_circles_has_an_example_too() -> None:
    schema = schema_of(Tree)
    assert schema is not None

    assert msgspec.json.encode(example(schema)).startswith(b'{"inside":[{"inside":')


@pytest.mark.parametrize("annotation", [object, Any, complex | int])
def test_what_nobody_can_describe_has_no_schema(annotation: object) -> None:
    assert schema_of(annotation) is None


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "properties", "items", "anyOf", "enum", "$ref", "$defs", "default", "a"]),
            inner | st.just("object"),
            max_size=4,
        )
    ),
)


@given(st.dictionaries(st.sampled_from(["type", "properties", "items", "anyOf", "$ref", "$defs"]), values, max_size=4))
def test_any_schema_has_an_example(schema: dict[str, object]) -> None:
    msgspec.json.encode(example(schema))
