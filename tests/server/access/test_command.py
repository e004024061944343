"""`everstep server` with credentials and a certificate, as a process."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.server.access.keys import OPERATOR
from tests.server.access.test_tls import write_certificate
from tests.server.running import HERE, ClientError, client_of, payload_of, refusal
from tests.server.test_command import COMMAND, ROOT, served

FUNCTION = (f"quick={HERE}:quick", "--store", "memory://")


def test_with_credentials_and_a_certificate_it_listens_to_other_machines(tmp_path: Path) -> None:
    certificate = write_certificate(tmp_path)
    file = tmp_path / "credentials.yaml"
    file.write_text(f"credentials: [{{access_key_id: operator, secret_access_key: {OPERATOR.secret_access_key}, roles: [operator]}}]\n")
    file.chmod(0o600)
    tls = ("--tls-cert", str(certificate.chain), "--tls-key", str(certificate.key))
    with served(*FUNCTION, "--host", "0.0.0.0", "--credentials", str(file), *tls) as (_, at):
        url = at.replace("127.0.0.1", "localhost")
        client, stranger = client_of(url, key=OPERATOR, verify=certificate.chain), client_of(url, verify=certificate.chain)
        answer = payload_of(client.invoke(FunctionName="quick:$LATEST", Payload=b"1"))
        with pytest.raises(ClientError) as raised:
            stranger.invoke(FunctionName="quick:$LATEST", Payload=b"1")
        client.close()
        stranger.close()

    assert url.startswith("https://")
    assert answer == 1
    assert refusal(raised).code == "UnrecognizedClientException"


def test_without_credentials_it_listens_to_other_machines_if_it_must_and_says_what_that_means() -> None:
    command = [*COMMAND, "server", *FUNCTION, "--host", "0.0.0.0", "--port", "0", "--without-credentials"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        said = [process.stderr.readline() for _ in range(2)]
    finally:
        process.kill()
        process.communicate(timeout=60)

    assert "WARNING everstep.server: whoever reaches 0.0.0.0 can do everything: --without-credentials" in said[0]
    assert "answers at" in said[1]
