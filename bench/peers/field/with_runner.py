# mypy: ignore-errors
# pyright: basic, reportMissingImports=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""The local runner of AWS's testing package, with the official SDK.

In process it is the test runner, which a plain function calls. Apart, it is `dex-local-runner start-server`, and a process that
runs the handler, which it reaches as it would reach Lambda: by an Invoke. Its store is memory, or a SQLite file. It has no way to
go on with an execution after a restart.
"""

import asyncio
import http.client
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python_testing.invoker import create_test_lambda_context
from aws_durable_execution_sdk_python_testing.runner import DurableFunctionTestRunner
from aws_durable_execution_sdk_python_testing.stores.sqlite import SQLiteExecutionStore

from bench import load

POLL_S = 0.01
CALLERS = 4
PATIENCE_S = 600
STORE = "sqlite:///"
times = []


@durable_execution
def work(event, context):
    def add(number):
        times.append(time.perf_counter())
        return number

    total = 0
    for number in range(event["n"]):
        total += context.step(lambda _, number=number: add(number), name="add")
    return total


@contextmanager
def runner(url):
    store = SQLiteExecutionStore.create_and_initialize(url.removeprefix(STORE)) if url.startswith(STORE) else None
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(load.AT_ONCE))
    with DurableFunctionTestRunner(work, execution_timeout=PATIENCE_S, store=store) as runner:

        def call(steps):
            result = runner.run(json.dumps({"n": steps}))
            assert result.status.value == "SUCCEEDED", result
            return json.loads(result.result)

        async def start_to_result(steps):
            return await asyncio.to_thread(call, steps)

        yield start_to_result


async def sequential(url, steps=1_000):
    with runner(url) as start_to_result:
        return await load.sequential(start_to_result, steps)


async def fan(url):
    with runner(url) as start_to_result:
        await start_to_result(20)
        return await load.fan(start_to_result)


async def empty(url):
    with runner(url) as start_to_result:
        return await few_empty(start_to_result)


async def few_empty(start_to_result):
    """Each takes 100 ms."""
    return await load.one_by_one(lambda: start_to_result(0), 100, warm=5)


async def late(url):
    with runner(url) as start_to_result:
        await start_to_result(2_950)
    return load.early_and_late(times)


class Lambda(BaseHTTPRequestHandler):
    """As much of Lambda as an Invoke needs."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._answer(b"{}")

    def do_POST(self):
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(json.dumps(work(event, create_test_lambda_context())).encode())

    def _answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


async def worker(_, port):
    with ThreadingHTTPServer(("127.0.0.1", port), Lambda) as server:
        server.serve_forever()


@contextmanager
def processes(url):
    """The port of a server, and a process that it invokes."""
    port, worker_port = load.free_port(), load.free_port()
    stored = ["--store-type", "sqlite", "--store-path", url.removeprefix(STORE)] if url.startswith(STORE) else ["--store-type", "memory"]
    endpoint = ["--lambda-endpoint", f"http://127.0.0.1:{worker_port}", "--port", str(port)]
    serve = [str(Path(sys.executable).parent / "dex-local-runner"), "start-server", *endpoint, *stored]
    pull = [sys.executable, "-m", "bench.peers.field.with_runner", "worker", url, str(worker_port)]
    given = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_DEFAULT_REGION": "us-west-2"}
    environment = os.environ | given | {"AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{port}"}
    running = [subprocess.Popen(each, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for each in (pull, serve)]
    try:
        load.until_answered(worker_port, "/")
        load.until_answered(port, "/health")
        yield port
    finally:
        for process in running:
            process.kill()
            process.wait()


def ask(port, method, path, body=None):
    """The server ends the connection after each answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request(method, path, body)
    answer = connection.getresponse()
    assert answer.status in (200, 201), answer.status
    return json.loads(answer.read())


async def apart(url, _instances):
    with processes(url) as port:

        async def start(steps):
            event = {
                "AccountId": "123456789012",
                "FunctionName": "work",
                "FunctionQualifier": "$LATEST",
                "ExecutionName": "bench",
                "ExecutionTimeoutSeconds": PATIENCE_S,
                "ExecutionRetentionPeriodDays": 1,
                "Input": json.dumps({"n": steps}),
            }
            return (await asyncio.to_thread(ask, port, "POST", "/start-durable-execution", json.dumps(event)))["ExecutionArn"]

        async def result(arn):
            while True:
                seen = await asyncio.to_thread(ask, port, "GET", f"/2025-12-01/durable-executions/{quote(arn, safe='')}")
                if seen["Status"] != "RUNNING":
                    return json.loads(seen["Result"])
                await asyncio.sleep(POLL_S)

        async def start_to_result(steps):
            return await result(await start(steps))

        await load.at_once(lambda: start_to_result(2), 20, CALLERS)
        return {**await load.fan_collected(start, result, CALLERS), **await few_empty(start_to_result)}


if __name__ == "__main__":
    load.run_child(load.by_name(sequential, fan, empty, late, apart, worker), sys.argv[1:])
