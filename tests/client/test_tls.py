"""Over TLS the other side must prove who it is, whichever certificates the system keeps, and wherever."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from tests.client.fake_service import FakeService

from everstep.client.http import HttpClient
from everstep.client.tls import hashed_directory
from everstep.errors import ServiceError

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes certificates with openssl")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that nobody else trusts, in one file with its key."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "localhost.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    certificate.write_text(certificate.read_text() + key.read_text())
    return certificate


@pytest.fixture
def server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def send(service: FakeService, **environ: str) -> str | None:
    keys = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s", "AWS_MAX_ATTEMPTS": "1"}
    client = HttpClient.from_environment({**keys, "AWS_ENDPOINT_URL": service.url, **environ})
    client.blocking.alone = lambda: True
    return asyncio.run(client.checkpoint("arn", "token", [], "once")).token


def hash_of(certificate: Path) -> str:
    asked = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", certificate], check=True, capture_output=True, text=True)
    return asked.stdout.strip()


def system_keeps(directory: Path | None) -> ssl.DefaultVerifyPaths:
    return ssl.get_default_verify_paths()._replace(capath=str(directory) if directory else "")


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> list[ssl.SSLContext]:
    """The contexts into which the system's bundle was loaded. That bundle is our certificate."""
    contexts: list[ssl.SSLContext] = []

    def load_default_certs(context: ssl.SSLContext, purpose: ssl.Purpose) -> None:
        contexts.append(context)
        context.load_verify_locations(certificate)

    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", load_default_certs)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    return contexts


def test_a_stranger_is_refused(server_side: ssl.SSLContext) -> None:
    with FakeService(tls=server_side) as service, pytest.raises(ServiceError, match="certificate verify failed") as raised:
        send(service)

    assert raised.value.code == "SSLCertVerificationError"
    assert raised.value.is_retryable


def test_a_bundle_of_your_own_is_trusted(server_side: ssl.SSLContext, certificate: Path) -> None:
    with FakeService(tls=server_side) as service:
        assert send(service, AWS_CA_BUNDLE=str(certificate)) == "next"


def test_another_host_with_a_trusted_certificate_is_refused(server_side: ssl.SSLContext, certificate: Path) -> None:
    with FakeService(tls=server_side) as service, pytest.raises(ServiceError, match="certificate verify failed"):
        send(service, AWS_CA_BUNDLE=str(certificate), AWS_ENDPOINT_URL_LAMBDA=service.url.replace("localhost", "127.0.0.1"))


def test_certificates_kept_by_hash_are_found_without_loading_the_bundle(
    server_side: ssl.SSLContext, certificate: Path, loaded: list[ssl.SSLContext], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{hash_of(certificate)}.0").symlink_to(certificate)
    keeps = system_keeps(tmp_path)
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: keeps)

    with FakeService(tls=server_side) as service:
        assert send(service) == "next"

    assert loaded == []


def test_a_directory_that_lacks_the_certificate_is_not_the_last_word(
    server_side: ssl.SSLContext, certificate: Path, loaded: list[ssl.SSLContext], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "00000000.0").symlink_to(certificate)
    keeps = system_keeps(tmp_path)
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: keeps)

    with FakeService(tls=server_side) as service:
        assert send(service) == "next"

    assert len(loaded) == 1


@pytest.mark.usefixtures("loaded")
def test_a_directory_is_used_only_if_it_is_by_hash_and_the_environment_names_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hashed_directory(system_keeps(None)) is None
    assert hashed_directory(system_keeps(tmp_path)) is None

    (tmp_path / "5ad8a5d6.0").touch()

    assert hashed_directory(system_keeps(tmp_path)) == str(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", "mine.pem")
    assert hashed_directory(system_keeps(tmp_path)) is None
