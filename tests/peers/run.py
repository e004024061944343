"""Runs the peers against our server, and prints what became of each.

    python -m tests.peers.run PYTHON

PYTHON is that of the environment in which the peers are installed, `make peers` makes it. The official SDK's handlers run under
AWS's own runtime client, as processes of the server or as workers. What they log is in build/peers-logs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.server.running import Lambda, Running, declared, events_of, payload_of, running, status_of, text_of, until

ROOT: Final = Path(__file__).parent.parent.parent
OFFICIAL: Final = "tests.peers.official"
DURABLE: Final = {"ExecutionTimeout": 120}
PAGED: Final = 32

# function -> event, result
RESULTS: Final[Mapping[str, tuple[object, object]]] = {
    "step": (2, 4),
    "retry": (None, 3),
    "wait": (1, 20),
    "wait_for_condition": (None, 3),
    "map_items": ([1, 2, 3], [2, 4, 6]),
    "parallel": (None, ["a", "b"]),
    "invoke": (5, 10),
    "child": (1, 2),
    "large": (PAGED, PAGED * 200_000),
}


def check_result(client: Lambda, function: str) -> None:
    event, expected = RESULTS[function]
    found = payload_of(client.invoke(FunctionName=f"{function}:$LATEST", Payload=json.dumps(event).encode()))
    assert found == expected, f"it returned {found!r} instead of {expected!r}"


def check_failure(client: Lambda) -> None:
    answer = client.invoke(FunctionName="failing:$LATEST", Payload=b"null")
    error = payload_of(answer)
    assert answer["FunctionError"] == "Unhandled"
    assert "out of stock" in error["errorMessage"], error


def check_callback(client: Lambda, function: str) -> None:
    arn = begun(client, function, None)
    until(lambda: bool(of_type(client, arn, "CallbackStarted")), "the callback")
    details = of_type(client, arn, "CallbackStarted")[0]["CallbackStartedDetails"]
    client.send_durable_execution_callback_success(CallbackId=details["CallbackId"], Result=b'"yes"')
    until(lambda: status_of(client, arn) != "RUNNING", "the end")
    assert status_of(client, arn) == "SUCCEEDED", client.get_durable_execution(DurableExecutionArn=arn)


def begun(client: Lambda, function: str, event: object) -> str:
    answer = client.invoke(FunctionName=f"{function}:$LATEST", InvocationType="Event", Payload=json.dumps(event).encode())
    return text_of(answer, "DurableExecutionArn")


def of_type(client: Lambda, arn: str, kind: str) -> list[dict[str, Any]]:
    return [event for event in events_of(client, arn) if event["EventType"] == kind]


@contextmanager
def worker(server: Running, python: str, implementation: str) -> Generator[None]:
    """A worker of the function `switched`: AWS's runtime client with the official SDK, or ours."""
    ours = [sys.executable, "-m", "everstep.cli.main", "worker", "switched=tests.peers.ours:wait", "--server", server.url]
    theirs = [python, "-m", "awslambdaric", f"{OFFICIAL}.wait"]
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_LAMBDA": server.url,
        "AWS_LAMBDA_FUNCTION_NAME": "switched",
        "AWS_LAMBDA_RUNTIME_API": f"{server.address}/runtime/switched",
    }
    command = ours if implementation == "ours" else theirs
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait(timeout=10)


def check_switch(server: Running, python: str, first: str, second: str) -> None:
    """An execution that one implementation began, up to its wait, is finished by the other."""
    client = server.client
    with worker(server, python, first):
        arn = begun(client, "switched", 1)
        until(lambda: bool(of_type(client, arn, "InvocationCompleted")), f"the first invocation, by {first}")
        assert of_type(client, arn, "WaitStarted"), events_of(client, arn)
    with worker(server, python, second):
        until(lambda: status_of(client, arn) != "RUNNING", f"the end, by {second}")
    execution = client.get_durable_execution(DurableExecutionArn=arn)
    assert (execution["Status"], json.loads(execution.get("Result", "null"))) == ("SUCCEEDED", 20), execution


def check_command_line(server: Running, python: str) -> None:
    """AWS's command line starts an execution, shows it, and answers its callback."""
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": "us-east-1"}

    def aws(*arguments: str) -> dict[str, Any]:
        command = [python, "-m", "awscli", "--endpoint-url", server.url, "lambda", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else {}

    started = aws("invoke", "--function-name", "callback:$LATEST", "--invocation-type", "Event", "--payload", "null", os.devnull)
    arn = started["DurableExecutionArn"]
    until(lambda: bool(of_type(server.client, arn, "CallbackStarted")), "the callback")
    history = aws("get-durable-execution-history", "--durable-execution-arn", arn, "--include-execution-data")
    ids = [event["CallbackStartedDetails"]["CallbackId"] for event in history["Events"] if event["EventType"] == "CallbackStarted"]
    aws("send-durable-execution-callback-success", "--callback-id", ids[0], "--result", '"yes"')
    until(lambda: status_of(server.client, arn) != "RUNNING", "the end")
    assert aws("get-durable-execution", "--durable-execution-arn", arn)["Status"] == "SUCCEEDED"
    listed = aws("list-durable-executions-by-function", "--function-name", "callback")
    assert arn in [one["DurableExecutionArn"] for one in listed["DurableExecutions"]]


def checks(server: Running, python: str) -> Generator[tuple[str, Callable[[], None]]]:
    client = server.client
    for function in RESULTS:
        yield f"official SDK: {function}", partial(check_result, client, function)
    yield "official SDK: failing", lambda: check_failure(client)
    for function in ("callback", "wait_for_callback"):
        yield f"official SDK: {function}", partial(check_callback, client, function)
    yield "begun by the official SDK, finished by ours", lambda: check_switch(server, python, "theirs", "ours")
    yield "begun by ours, finished by the official SDK", lambda: check_switch(server, python, "ours", "theirs")
    yield "AWS command line", lambda: check_command_line(server, python)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    python = str(Path(sys.argv[1]).absolute())
    names = (*RESULTS, "failing", "callback", "wait_for_callback")
    logs = ROOT / "build" / "peers-logs"
    logs.mkdir(parents=True, exist_ok=True)
    functions = [declared(name, command=[python, "-m", "awslambdaric", f"{OFFICIAL}.{name}"], config=DURABLE, logs=logs) for name in names]
    failed = 0
    with running([*functions, declared("switched", config=DURABLE)]) as server:
        for name, check in checks(server, python):
            began = time.monotonic()
            try:
                check()
                says = "pass"
            except Exception as error:  # one that fails must not hide the others
                failed += 1
                says = f"FAIL {error}"
            print(f"{name:45} {time.monotonic() - began:5.1f} s  {says}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
