from __future__ import annotations

import functools
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everstep.errors import UsageError
from everstep.operations.naming import checked_sub_type, given_name, inferred_name

printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=256)


class Charge:
    def now(self) -> None: ...

    def __call__(self) -> None: ...


def charge() -> None: ...


def named(name: str) -> object:
    def function() -> None: ...

    function.__name__ = name
    return function


@given(printable)
def test_a_name_of_printable_ascii_is_taken_as_it_is(name: str) -> None:
    assert given_name(name) == name


def test_an_empty_name_means_none() -> None:
    assert given_name("") is None


@pytest.mark.parametrize("name", ["x" * 257, "größe", "two\nlines", "tab\t", "\x7f", "💥", "\ud800"])
def test_a_name_that_the_service_would_refuse_is_refused_with_its_length(name: str) -> None:
    with pytest.raises(UsageError, match=rf"\({len(name)} characters\)"):
        given_name(name)


def test_a_name_that_is_no_string_is_refused() -> None:
    with pytest.raises(UsageError, match="name is 5; it must be a string"):
        given_name(cast("str", 5))


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (charge, "charge"),
        (Charge().now, "now"),
        (Charge, "Charge"),
        (len, "len"),
        (functools.partial(charge), "charge"),
        (functools.partial(functools.partial(charge)), "charge"),
        (Charge(), None),
        (lambda: None, None),
        (functools.partial(lambda: None), None),
        (named("größe"), None),
        (named("x" * 257), None),
        (named(""), None),
    ],
)
def test_a_name_is_taken_from_the_function_if_it_has_one_that_can_be_recorded(function: object, name: str | None) -> None:
    assert callable(function)
    assert inferred_name(function) == name


@pytest.mark.parametrize("sub_type", ["A", "RunInChildContext", "a-b_9", "x" * 32])
def test_a_sub_type_may_hold_letters_digits_and_two_signs(sub_type: str) -> None:
    assert checked_sub_type(sub_type) == sub_type


@pytest.mark.parametrize("sub_type", ["", "x" * 33, "two words", "ä", "a.b", "a\n"])
def test_a_sub_type_that_the_service_would_refuse_is_refused(sub_type: str) -> None:
    with pytest.raises(UsageError, match="a sub-type is"):
        checked_sub_type(sub_type)
