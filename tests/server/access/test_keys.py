"""A credentials file is read whole or refused in a line that says what to do, and shows no secret."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from everstep.errors import UsageError
from everstep.server.access.keys import AccessKey, read_credentials, worker_key

SECRET = "a-secret-of-twenty-four-b"
KEY = f"{{access_key_id: ops, secret_access_key: {SECRET}, roles: [operator]}}"


def file(folder: Path, content: str, *, name: str = "credentials.yaml", mode: int = 0o600) -> Path:
    path = folder / name
    path.write_text(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("credentials.yaml", f"credentials:\n  - {KEY}\n"),
        ("credentials.json", f'{{"credentials": [{{"access_key_id": "ops", "secret_access_key": "{SECRET}", "roles": ["operator"]}}]}}'),
        ("credentials.toml", f'[[credentials]]\naccess_key_id = "ops"\nsecret_access_key = "{SECRET}"\nroles = ["operator"]\n'),
    ],
)
def test_a_file_may_be_yaml_json_or_toml(tmp_path: Path, name: str, content: str) -> None:
    keys = read_credentials(file(tmp_path, content, name=name))

    assert keys == [AccessKey(access_key_id="ops", secret_access_key=SECRET, roles=["operator"])]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("credentials: []", "has no key"),
        (f"keys: [{KEY}]", "unknown field `keys`"),
        (f"credentials: [{KEY}, {KEY}]", "two keys have the access_key_id 'ops'"),
        (f"credentials: [{KEY.replace('operator', 'admin')}]", "Invalid enum value 'admin'"),
        (f"credentials: [{KEY.replace('[operator]', '[]')}]", "roles is empty"),
        (f"credentials: [{KEY.replace('ops', 'a/b')}]", "'a/b'; it must be 3 to 128"),
        (f"credentials: [{KEY.replace(SECRET, 'short-secret')}]", "at least 20 visible ASCII"),
        (f"credentials: [{KEY.replace(SECRET, repr('two words ' + SECRET))}]", "no spaces"),
        (f"credentials: [{KEY.replace(SECRET, '123456789012345678901234')}]", "Expected `str`, got `int`"),
        (f"credentials: [{KEY[:-1]}, session_token: ''}}]", "session_token must be"),
        (f"credentials: [{KEY[:-1]}, session: x}}]", "unknown field `session`"),
        (f"credentials:\n  - access_key_id: ops\n    secret_access_key: *{SECRET}\n", "no valid YAML, line 3"),
        (f"credentials:\n  - access_key_id: ops\n  secret_access_key: {SECRET}", "no valid YAML, line 3"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_without_showing_its_secrets(tmp_path: Path, content: str, said: str) -> None:
    path = file(tmp_path, content)

    with pytest.raises(UsageError) as raised:
        read_credentials(path)

    assert said in str(raised.value)
    assert str(path) in str(raised.value)
    assert "secret" not in str(raised.value).replace("secret_access_key", "").replace("secrets", "")


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o620, 0o644, 0o666])
def test_a_file_that_others_can_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    path = file(tmp_path, f"credentials: [{KEY}]", mode=mode)

    with pytest.raises(UsageError, match=f"its mode is {mode:03o}.: chmod 600"):
        read_credentials(path)


def test_a_file_that_its_group_can_read_is_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = file(tmp_path, f"credentials: [{KEY}]", mode=0o640)

    with caplog.at_level(logging.WARNING, "everstep.server"):
        keys = read_credentials(path)

    assert len(keys) == 1
    assert "can be read by its group" in caplog.text


def test_a_key_shows_no_secret() -> None:
    key = AccessKey(access_key_id="ops", secret_access_key=SECRET, roles=["operator"], session_token=SECRET)

    assert SECRET not in f"{key!r} {key}"


def test_a_servers_own_key_is_another_one_each_time_and_can_work_only() -> None:
    one, other = worker_key(), worker_key()

    assert one.roles == ["worker"]
    assert one.access_key_id != other.access_key_id
    assert one.secret_access_key != other.secret_access_key
    assert len(one.secret_access_key) >= 43  # 256 bits
