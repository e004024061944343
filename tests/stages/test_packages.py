"""Stages need packages that the rest doesn't: they are loaded when a stage is made, and their absence is explained."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from everstep.errors import UsageError
from everstep.stages import S3, Compressed, Encrypted, KmsKeys


def test_importing_the_stages_loads_none_of_their_packages() -> None:
    script = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "import everstep.official_envelope, everstep.stages as stages\n"
        "[getattr(stages, name) for name in stages.__all__]\n"
        "print(*sorted(set(sys.modules) - before))"
    )

    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)

    loaded = run.stdout.split()
    assert "everstep.stages.compressed" in loaded
    assert not {"zstandard", "compression.zstd", "cryptography", "boto3", "botocore", "asyncio"}.intersection(loaded)


def test_every_name_of_the_package_can_be_had() -> None:
    import everstep.stages as stages

    assert all(getattr(stages, name).__name__ == name for name in dir(stages))
    with pytest.raises(AttributeError, match="no attribute 'Missing'"):
        _ = stages.Missing


@pytest.mark.parametrize(
    ("make", "packages", "command"),
    [
        (Compressed, ["zstandard", "compression"], r"Compressed needs the package zstandard.*pip install 'everstep\[zstd\]'"),
        (lambda: Encrypted({"a": bytes(32)}), ["cryptography.exceptions"], r"pip install 'everstep\[encryption\]'"),
        (lambda: KmsKeys("alias/order"), ["boto3"], r"KmsKeys without a client needs .*pip install 'everstep\[kms\]'"),
        (lambda: S3("texts"), ["boto3"], r"pip install 'everstep\[s3\]'"),
    ],
)
def test_a_missing_package_is_explained(
    make: Callable[[], object], packages: list[str], command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in packages:
        monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(UsageError, match=command):
        make()


def test_boto3_makes_the_client_that_was_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")

    assert repr(S3("texts", "v1/")) == "S3('texts', 'v1/')"
    assert repr(KmsKeys("alias/order")) == "KmsKeys('alias/order')"
