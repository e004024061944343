"""Workers of a server with credentials: its own processes, those that sign, and those that can't."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from everstep.server.access.keys import AccessKey
from everstep.server.access.worker_tokens import mint_worker_token
from tests.server.access.keys import CALLBACK, WORKER, key
from tests.server.running import HERE, ClientError, Running, client_of, payload_of, refusal

ROOT = Path(__file__).parents[3]
COMMAND = (sys.executable, "-m", "everstep.cli.main")


def environment_of(key: AccessKey) -> dict[str, str]:
    return {**os.environ, "AWS_ACCESS_KEY_ID": key.access_key_id, "AWS_SECRET_ACCESS_KEY": key.secret_access_key}


@contextmanager
def begun(command: list[str], environment: dict[str, str]) -> Generator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.mark.parametrize("function", ["process", "ric_process"])
def test_processes_that_the_server_begins_need_no_key_of_yours(guarded: Running, function: str) -> None:
    assert payload_of(guarded.client.invoke(FunctionName=f"{function}:$LATEST", Payload=b'{"amount": 3}')) == {"total": 12}


def test_everstep_worker_signs_with_the_key_in_its_environment(guarded: Running) -> None:
    command = [*COMMAND, "worker", f"pulled={HERE}:order", "--server", guarded.url]
    with begun(command, environment_of(WORKER)):
        answer = guarded.client.invoke(FunctionName="pulled:$LATEST", Payload=b'{"amount": 1}')

    assert payload_of(answer) == {"total": 4}


@pytest.mark.parametrize("stranger", [key("nobody"), CALLBACK])
def test_everstep_worker_with_a_key_that_is_not_a_workers_ends_and_says_why(guarded: Running, stranger: AccessKey) -> None:
    command = [*COMMAND, "worker", f"pulled={HERE}:order", "--server", guarded.url]
    done = subprocess.run(command, cwd=ROOT, env=environment_of(stranger), capture_output=True, text=True, timeout=30, check=False)

    assert done.returncode == 2
    assert "a key with the role worker" in done.stderr
    assert "Traceback" not in done.stderr


def worker_environment(server: Running, *, key: AccessKey = WORKER) -> dict[str, str]:
    """What the command prints."""
    command = [*COMMAND, "worker-environment", "pulled", "--server", server.url, "--json"]
    done = subprocess.run(command, cwd=ROOT, env=environment_of(key), capture_output=True, text=True, timeout=30, check=True)
    printed: dict[str, str] = json.loads(done.stdout)
    return printed


def test_awss_own_runtime_works_with_the_environment_that_the_command_prints(guarded: Running) -> None:
    printed = worker_environment(guarded)
    with begun([sys.executable, "-m", "awslambdaric", f"{HERE}.order"], {**environment_of(WORKER), **printed}):
        answer = guarded.client.invoke(FunctionName="pulled:$LATEST", Payload=b'{"amount": 2}')

    assert payload_of(answer) == {"total": 8}
    assert all(WORKER.secret_access_key not in value for value in printed.values())


def test_a_workers_address_is_good_for_its_function_alone(guarded: Running) -> None:
    path = urlsplit("http://" + worker_environment(guarded)["AWS_LAMBDA_RUNTIME_API"]).path
    token = path.rsplit("/", 1)[1]
    nowhere = "/2018-06-01/runtime/invocation/unknown/response"

    def status(path: str) -> int:
        return guarded.request("POST", path + nowhere, b"1")[0]

    assert path == f"/runtime/pulled/token/{mint_worker_token(WORKER.access_key_id, WORKER.secret_access_key, 'pulled')}"
    assert status(path) == 400  # it is let in, and nobody waits for an answer
    assert status(path.replace("/pulled/", "/pulled:$LATEST/")) == 400
    assert status(f"{path}/a-name") == 400
    assert status(path.replace("/pulled/", "/pulled_plain/")) == 403
    assert status(path.replace("/pulled/", "/no:such:thing/")) == 403
    assert status(path.replace(token, token[:-1])) == 403
    assert status(path.replace(token, "nobody" + token[len("worker") :])) == 403
    assert status("/runtime/pulled") == 403
    assert status("") == 403


def test_a_key_without_the_role_makes_no_address(guarded: Running) -> None:
    token = mint_worker_token(CALLBACK.access_key_id, CALLBACK.secret_access_key, "pulled")

    status, headers, _ = guarded.request("GET", f"/runtime/pulled/token/{token}/2018-06-01/runtime/invocation/next")

    assert (status, headers["x-amzn-errortype"]) == (403, "AccessDeniedException")


def test_a_checkpoint_token_is_good_for_its_execution_alone_and_not_with_a_byte_changed(guarded: Running) -> None:
    token = mint_worker_token(WORKER.access_key_id, WORKER.secret_access_key, "pulled")
    runtime = f"/runtime/pulled/token/{token}/2018-06-01/runtime/invocation"
    worker = client_of(guarded.url, key=WORKER)
    with ThreadPoolExecutor(2) as pool:
        invoking = [pool.submit(guarded.client.invoke, FunctionName="pulled:$LATEST", Payload=b"1") for _ in range(2)]
        taken: list[tuple[str, dict[str, str]]] = []
        for name in ("one", "other"):
            path = runtime.replace("/2018", f"/{name}/2018")
            _, headers, body = guarded.request("GET", f"{path}/next")
            taken.append((headers["lambda-runtime-aws-request-id"], json.loads(body)))
        (_, one), (_, other) = taken
        altered = one["CheckpointToken"][:-6] + ("A" if one["CheckpointToken"][-6] != "A" else "B") + one["CheckpointToken"][-5:]
        for wrong in (other["CheckpointToken"], altered):
            with pytest.raises(ClientError) as raised:
                worker.checkpoint_durable_execution(DurableExecutionArn=one["DurableExecutionArn"], CheckpointToken=wrong)
            assert refusal(raised).status == 400
        for request_id, event in taken:
            worker.checkpoint_durable_execution(DurableExecutionArn=event["DurableExecutionArn"], CheckpointToken=event["CheckpointToken"])
            guarded.request("POST", f"{runtime}/{request_id}/response", b'{"Status": "SUCCEEDED", "Result": "5"}')
        assert [payload_of(one.result()) for one in invoking] == [5, 5]
    worker.close()
