from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from everstep.service.machine.tokens import CallbackOwner, TokenOwner, mint_callback_id, mint_token, parse_callback_id, parse_token

IDS = st.from_regex(r"[a-zA-Z0-9_-]{1,64}", fullmatch=True)
SECRETS = st.binary(min_size=1, max_size=64)
URL_SAFE = re.compile(r"[A-Za-z0-9]+={0,2}")


@given(IDS, st.integers(1, 10_000), st.integers(0, 10_000), SECRETS)
def test_a_token_names_its_owner_and_survives_urls(execution_id: str, invocation: int, number: int, secret: bytes) -> None:
    token = mint_token(execution_id, invocation, number, secret)

    assert parse_token(token) == TokenOwner(execution_id, invocation, number)
    assert URL_SAFE.fullmatch(token)
    assert len(token) <= 2048


@given(IDS, IDS, SECRETS)
def test_a_callback_id_names_its_owner_and_survives_urls(execution_id: str, operation_id: str, secret: bytes) -> None:
    callback_id = mint_callback_id(execution_id, operation_id, secret)

    assert parse_callback_id(callback_id) == CallbackOwner(execution_id, operation_id)
    assert URL_SAFE.fullmatch(callback_id)
    assert len(callback_id) <= 1024


@given(IDS, IDS, st.lists(SECRETS, min_size=2, max_size=2, unique=True))
def test_another_secret_makes_another_id(execution_id: str, operation_id: str, secrets: list[bytes]) -> None:
    one, other = secrets

    assert mint_token(execution_id, 1, 1, one) != mint_token(execution_id, 1, 1, other)
    assert mint_callback_id(execution_id, operation_id, one) != mint_callback_id(execution_id, operation_id, other)


@given(st.text(max_size=40))
def test_what_is_no_token_has_no_owner(text: str) -> None:
    assert parse_token(text) is None
