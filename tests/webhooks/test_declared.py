"""The webhooks file."""

from __future__ import annotations

from pathlib import Path

import pytest

from everstep.errors import UsageError
from everstep.server.webhooks.declared import read_webhooks
from tests.webhooks.receiver import SECRET

URL = "url: http://localhost:1/hook"


def read(folder: Path, text: str) -> object:
    file = folder / "webhooks.yaml"
    file.write_text(f"webhooks:\n- {{{text}}}\n")
    return read_webhooks(file, {"HOOK": SECRET, "EMPTY": "", "SHORT": "whsec_c2hvcnQ=", "BARE": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"})


def test_a_webhook_is_declared_with_what_it_watches(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    (tmp_path / "secret").chmod(0o600)
    file = tmp_path / "webhooks.toml"
    file.write_text(
        '[[webhooks]]\nname="a"\nurl="https://example.com/hook?x=1"\nsecret_env="HOOK"\n'
        '[[webhooks]]\nname="b"\nurl="http://localhost/"\nsecret_file="secret"\nfunctions=["order"]\nstatuses=["FAILED"]\n'
    )

    everything, failures = (one.watch for one in read_webhooks(file, {"HOOK": SECRET}))

    assert (everything.webhook, everything.functions, everything.statuses) == ("a", None, None)
    assert (failures.webhook, failures.functions, failures.statuses) == ("b", frozenset({"order"}), frozenset({"FAILED"}))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"name: a, {URL}", "needs a secret, by either secret_env or secret_file"),
        (f"name: a, {URL}, secret_env: HOOK, secret_file: x", "either secret_env or secret_file"),
        (f"name: a, {URL}, secret_env: NONE", "environment variable NONE holds no secret"),
        (f"name: a, {URL}, secret_env: EMPTY", "environment variable EMPTY holds no secret"),
        (f"name: a, {URL}, secret_env: SHORT", "24 to 64 bytes"),
        (f"name: a, {URL}, secret_env: BARE", "whsec_"),
        (f"name: a, {URL}, secret_file: nowhere", "cannot be read"),
        (f"name: a b, {URL}, secret_env: HOOK", "letters, digits"),
        (f"name: a, {URL}, secret_env: HOOK, functions: ['order:1']", "no function's name"),
        (f"name: a, {URL}, secret_env: HOOK, statuses: []", "never be told anything"),
        (f"name: a, {URL}, secret_env: HOOK, statuses: [PAUSED]", "not understood"),
        (f"name: a, {URL}, secret_env: HOOK, secret: whsec_x", "not understood"),
        ("name: a, url: 'ftp://x/', secret_env: HOOK", "https://example.com/path"),
        ("name: a, url: 'http://me:pw@x/', secret_env: HOOK", "without user, password"),
        ("name: a, url: 'http://x/a b', secret_env: HOOK", "spaces"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_runs(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        read(tmp_path, text)

    assert "c2hvcnQ" not in str(refused.value)
    assert "pw@" not in str(refused.value)


def test_two_webhooks_cannot_have_one_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two webhooks are called 'a'"):
        read(tmp_path, f"name: a, {URL}, secret_env: HOOK}}\n- {{name: a, {URL}, secret_env: HOOK")


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "secret").chmod(0o644)

    with pytest.raises(UsageError, match="chmod 600"):
        read(tmp_path, f"name: a, {URL}, secret_file: secret")
