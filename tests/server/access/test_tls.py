"""A server that speaks TLS, to clients that trust its certificate's authority."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from botocore.exceptions import SSLError  # type: ignore[import-untyped]  # no stubs are installed
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from everstep.errors import UsageError
from everstep.server.certificate import Certificate
from tests.server.access.keys import KEYS, OPERATOR, WORKER
from tests.server.access.test_workers import COMMAND, ROOT, begun, environment_of
from tests.server.running import HERE, Running, client_of, declared, payload_of, running

PASSWORD = b"a password"


def write_certificate(folder: Path) -> Certificate:
    """Its own authority, for localhost, and its key: as it is, and encrypted."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("::1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, unencrypted, encrypted = folder / "server.pem", folder / "server.key", folder / "encrypted.key"
    chain.write_bytes(certificate.public_bytes(Encoding.PEM))
    unencrypted.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    encrypted.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD)))
    return Certificate(chain, unencrypted)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return write_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def secured(certificate: Certificate) -> Iterator[Running]:
    functions = [
        declared("quick", handler=f"{HERE}:quick"),
        declared("pulled", config={"ExecutionTimeout": 60}),
        declared("process", process=f"{HERE}:order", config={"ExecutionTimeout": 60}),
        declared("ric_process", command=f"{sys.executable} -m awslambdaric {HERE}.order", config={"ExecutionTimeout": 60}),
    ]
    with running(functions, keys=KEYS, certificate=certificate) as server:
        yield server


def test_boto3_speaks_tls_with_it(secured: Running) -> None:
    assert secured.url.startswith("https://localhost:")
    assert payload_of(secured.client.invoke(FunctionName="quick:$LATEST", Payload=b"1")) == 1


def test_a_client_that_does_not_trust_it_goes_no_further(secured: Running) -> None:
    client = client_of(secured.url, key=OPERATOR)

    with pytest.raises(SSLError):
        client.list_functions()
    client.close()


@pytest.mark.parametrize("function", ["process", "ric_process"])
def test_the_servers_own_processes_reach_it_all_the_same(secured: Running, function: str) -> None:
    assert payload_of(secured.client.invoke(FunctionName=f"{function}:$LATEST", Payload=b'{"amount": 3}')) == {"total": 12}


def test_everstep_worker_speaks_tls(secured: Running, certificate: Certificate) -> None:
    command = [*COMMAND, "worker", f"pulled={HERE}:order", "--server", secured.url, "--ca-bundle", str(certificate.chain)]
    with begun(command, environment_of(WORKER)):
        answer = secured.client.invoke(FunctionName="pulled:$LATEST", Payload=b'{"amount": 1}')

    assert payload_of(answer) == {"total": 4}


def test_everstep_worker_that_does_not_trust_it_ends_and_says_what_to_do(secured: Running) -> None:
    command = [*COMMAND, "worker", f"pulled={HERE}:order", "--server", secured.url]
    done = subprocess.run(command, cwd=ROOT, env=environment_of(WORKER), capture_output=True, text=True, timeout=30, check=False)

    assert done.returncode == 2
    assert "--ca-bundle" in done.stderr
    assert "Traceback" not in done.stderr


def test_files_that_are_no_certificate_and_key_are_refused(certificate: Certificate, tmp_path: Path) -> None:
    other = write_certificate(tmp_path)
    encrypted = certificate.key.with_name("encrypted.key")

    certificate.check()
    for chain, key in (
        (certificate.chain, other.key),
        (certificate.chain, encrypted),
        (certificate.key, certificate.chain),
        (tmp_path / "nothing.pem", certificate.key),
    ):
        with pytest.raises(UsageError, match=r"\.pem|\.key"):
            Certificate(chain, key).check()
