"""Sessions that no server keeps: good on every server that knows the key, and on none that does not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everstep.console.sessions import LIFETIME_S, Sessions
from everstep.protocol.sigv4 import Credentials
from everstep.server.access.keys import AccessKey
from tests.console.visiting import Visitor, in_path, page_of, start, waiting
from tests.server.running import declared, running, status_of

NOON = 1_795_521_600.0
BOSS, OTHER = Credentials("boss", "s" * 24), Credentials("other", "t" * 24)
SESSION = Sessions([BOSS], lambda: NOON).begin(BOSS)


def credentials_in(cookie: str, keys: Sequence[Credentials] = (BOSS, OTHER), now_s: float = NOON) -> Credentials | None:
    return Sessions(keys, lambda: now_s).credentials_of(cookie)


def test_a_session_is_known_to_every_server_that_has_the_key_and_holds_no_secret() -> None:
    assert credentials_in(SESSION) == BOSS
    assert credentials_in(SESSION, [BOSS]) == BOSS
    assert BOSS.secret_key not in SESSION


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param([], id="the key is gone"),
        pytest.param([OTHER], id="the key is gone and another is there"),
        pytest.param([Credentials("boss", "u" * 24)], id="the key has another secret"),
        pytest.param([Credentials("boss", "s" * 24, "token")], id="the key has a session token now"),
    ],
)
def test_a_session_is_over_when_its_key_is(keys: list[Credentials]) -> None:
    assert credentials_in(SESSION, keys) is None


def test_a_session_lasts_eight_hours() -> None:
    assert credentials_in(SESSION, now_s=NOON + LIFETIME_S - 1) == BOSS
    assert credentials_in(SESSION, now_s=NOON + LIFETIME_S) is None


@given(st.integers(0, len(SESSION) - 1), st.characters(codec="utf-8"))
def test_a_session_with_any_character_altered_is_none(place: int, character: str) -> None:
    altered = SESSION[:place] + character + SESSION[place + 1 :]

    assert credentials_in(altered) == (BOSS if altered == SESSION else None)


@given(st.text(), st.text())
def test_nothing_before_or_behind_makes_it_another_session(before: str, behind: str) -> None:
    assert credentials_in(before + SESSION + behind) == (BOSS if not before and not behind else None)


@given(st.text() | st.from_regex(r"(boss|other)\.[0-9]{10}\.[A-Za-z0-9_-]{22}\.[0-9a-f]{64}", fullmatch=True))
def test_nobody_makes_a_session_without_the_secret(cookie: str) -> None:
    assert credentials_in(cookie) is None
    assert not Sessions([BOSS], lambda: NOON).is_known(cookie) or len(cookie) == 43


@pytest.mark.parametrize("part", [0, 1])
def test_neither_key_nor_end_can_be_exchanged(part: int) -> None:
    parts = SESSION.split(".")
    parts[part] = ("other", str(int(NOON + 10 * LIFETIME_S)))[part]

    assert credentials_in(".".join(parts)) is None


def test_a_form_is_ours_on_every_server_but_for_nobody_else() -> None:
    one, two = (Sessions([BOSS, OTHER], lambda: NOON) for _ in range(2))
    stranger, another = one.stranger(), one.begin(OTHER)

    for cookie in (SESSION, stranger):
        assert two.is_ours(cookie, one.proof(cookie))
        assert not two.is_ours(another, one.proof(cookie))
    assert not one.is_ours(SESSION, "")
    assert not one.is_ours("", one.proof(""))
    assert not Sessions([OTHER], lambda: NOON).is_ours(stranger, one.proof(stranger))


def test_a_session_that_was_ended_is_not_taken_again() -> None:
    sessions = Sessions([BOSS], lambda: NOON)
    first, second = sessions.begin(BOSS), sessions.begin(BOSS)

    sessions.end(first)

    assert sessions.credentials_of(first) is None
    assert sessions.credentials_of(second) == BOSS


def test_who_signed_in_at_one_server_acts_at_another_and_is_refused_where_the_key_is_not_known() -> None:
    key = AccessKey(access_key_id="boss", secret_access_key="s" * 24, roles=["operator"])
    functions = [declared("sleeper", handler="tests.server.functions:sleeper")]
    with running(functions, keys=[key]) as one, running(functions, keys=[key]) as two:
        visitor = Visitor(one)
        visitor.get("/sign-in")
        assert visitor.post("/sign-in", ("key", "boss"), ("secret", "s" * 24)).status == 303
        arn = waiting(two, start(two, "sleeper"), "WaitStarted")
        visitor.get("/")

        visitor.server = two

        assert visitor.post(f"/stop/{in_path(arn)}").status == 303
        assert status_of(two.client, arn) == "STOPPED"
        assert visitor.get(page_of(arn)).status == 200
    with running(functions, keys=[AccessKey(access_key_id="boss", secret_access_key="n" * 24, roles=["operator"])]) as three:
        visitor.server = three

        assert visitor.get("/").headers["location"] == "/console/sign-in"
