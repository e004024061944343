"""Credentials come from the environment, at each call anew; else from botocore; else the error says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import pytest

from everstep.client.credentials import EnvironmentCredentials, credentials_in
from everstep.errors import ServiceError, UsageError
from everstep.protocol.sigv4 import Credentials

KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}


def test_keys_and_token_are_read_from_the_environment() -> None:
    assert credentials_in({**KEYS, "AWS_SESSION_TOKEN": "token"}) == Credentials("AKID", "secret", "token")
    assert credentials_in({**KEYS, "AWS_SESSION_TOKEN": ""}) == Credentials("AKID", "secret", None)


def test_a_newline_around_a_key_is_not_part_of_it() -> None:
    environ = {"AWS_ACCESS_KEY_ID": "AKID\n", "AWS_SECRET_ACCESS_KEY": " secret", "AWS_SESSION_TOKEN": "token\r\n"}

    assert credentials_in(environ) == Credentials("AKID", "secret", "token")


@pytest.mark.parametrize("name", KEYS)
def test_half_a_pair_of_keys_counts_as_none(name: str) -> None:
    assert credentials_in({name: "x"}) is None


def test_new_keys_are_used_as_soon_as_they_are_there() -> None:
    environ = dict(KEYS)
    source = EnvironmentCredentials(environ)
    first = source()

    environ["AWS_SECRET_ACCESS_KEY"] = "rotated"

    assert (first.secret_key, source().secret_key) == ("secret", "rotated")


def test_without_keys_botocore_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text("[work]\naws_access_key_id = AKPROFILE\naws_secret_access_key = s\naws_session_token = t\n")
    for name in (*KEYS, "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "work")
    source = EnvironmentCredentials({})

    assert source() == source() == Credentials("AKPROFILE", "s", "t")


def test_if_botocore_finds_none_either_the_error_says_where_to_put_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*KEYS, "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "BOTO_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(UsageError, match="AWS_PROFILE"):
        EnvironmentCredentials({})()


def test_without_botocore_the_error_names_the_variables_and_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_session(profile: str | None = None) -> None: ...

    monkeypatch.setattr("everstep.client.credentials.botocore_session", no_session)

    with pytest.raises(UsageError, match=r"AWS_ACCESS_KEY_ID.*pip install 'everstep\[boto\]'"):
        EnvironmentCredentials({})()


def test_credentials_that_cannot_be_renewed_do_not_fail_the_execution(monkeypatch: pytest.MonkeyPatch) -> None:
    class Session:
        def __init__(self, profile: str | None = None) -> None: ...

        def get_credentials(self) -> Self:
            return self

        def get_frozen_credentials(self) -> None:
            raise RuntimeError("the SSO session has ended")

    monkeypatch.setattr("everstep.client.credentials.botocore_session", Session)
    source = EnvironmentCredentials({})

    with pytest.raises(ServiceError, match="the SSO session has ended") as raised:
        source()

    assert raised.value.is_retryable
