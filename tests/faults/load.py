"""Many executions, begun and followed over HTTP by a client that never gives up, and what must hold of them in the end."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final
from urllib.parse import quote

from tests.faults.processes import ServerProcess
from tests.faults.work import STEPS, expected

CLIENTS: Final = 4
PAGE: Final = 1_000


class Client:
    """One connection, to whichever of the servers answers. Anything but an answer is tried again."""

    def __init__(self, servers: Sequence[ServerProcess], number: int = 0) -> None:
        self._servers, self._at = servers, number
        self._connection: HTTPConnection | None = None

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], Any]:
        """The answer's status, headers and JSON; other statuses than 5xx count as answers."""
        while True:
            try:
                if self._connection is None:
                    server = self._servers[self._at % len(self._servers)]
                    self._connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
                self._connection.request(method, path, body, headers or {})
                response = self._connection.getresponse()
                text = response.read()
                if response.status < 500:
                    return response.status, {name.lower(): value for name, value in response.getheaders()}, json.loads(text or b"null")
            except (OSError, HTTPException):
                pass
            self.close()
            self._at += 1
            time.sleep(0.05)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Load:
    """executions: how many. functions: that they are of, in turn."""

    def __init__(
        self, servers: Sequence[ServerProcess], ledger: Path, executions: int, functions: Sequence[str] = ("work", "pulled")
    ) -> None:
        self._servers, self._ledger = servers, ledger
        self.executions, self.functions = executions, functions
        self.arns: dict[int, str] = {}
        self._left: SimpleQueue[int] = SimpleQueue()

    def start(self, stop: threading.Event | None = None) -> None:
        """Begin them all, by name: a start whose answer was lost is made again and is the same execution."""
        for number in range(self.executions):
            self._left.put(number)
        with ThreadPoolExecutor(CLIENTS) as pool:
            for client in range(CLIENTS):
                pool.submit(self._start_some, client, stop or threading.Event()).add_done_callback(lambda done: done.result())
        assert len(self.arns) == self.executions or (stop is not None and stop.is_set())

    def _start_some(self, number: int, stop: threading.Event) -> None:
        client = Client(self._servers, number)
        while not stop.is_set():
            try:
                event = self._left.get_nowait()
            except Empty:
                break
            name = {"X-Amz-Invocation-Type": "Event", "X-Amz-Durable-Execution-Name": f"execution-{event}"}
            function = self.functions[event % len(self.functions)]
            path = f"/2015-03-31/functions/{function}/invocations?Qualifier=$LATEST"
            status, headers, answer = client.ask("POST", path, str(event).encode(), name)
            assert status == 202, answer
            self.arns[event] = headers["x-amz-durable-execution-arn"]
        client.close()

    def listed(self) -> dict[str, str]:
        """Status by ARN, as ListDurableExecutionsByFunction tells. No execution may be told twice."""
        client = Client(self._servers)
        found: dict[str, str] = {}
        for function in self.functions:
            marker: str | None = ""
            while marker is not None:
                path = f"/2025-12-01/functions/{function}/durable-executions?MaxItems={PAGE}&ReverseOrder=true&Marker={quote(marker)}"
                _, _, page = client.ask("GET", path)
                for execution in page["DurableExecutions"]:
                    assert execution["DurableExecutionArn"] not in found
                    found[execution["DurableExecutionArn"]] = execution["Status"]
                marker = page.get("NextMarker")
        client.close()
        return found

    def open(self) -> int:
        """How many have not ended."""
        client = Client(self._servers)
        count = 0
        for function in self.functions:
            _, _, page = client.ask("GET", f"/2025-12-01/functions/{function}/durable-executions?MaxItems={PAGE}&Statuses=RUNNING")
            count += len(page["DurableExecutions"])
        client.close()
        return count

    def wait(self, patience_s: float) -> None:
        deadline = time.monotonic() + patience_s
        while (left := self.open()) > 0:
            assert time.monotonic() < deadline, f"{left} executions have not ended after {patience_s} seconds"
            time.sleep(0.2)

    def check(self) -> Counter[str]:
        """Every execution has ended once, with its result, and no body ran after its outcome was recorded. Returns figures."""
        listed = self.listed()
        assert set(listed) == set(self.arns.values()), "exactly what was started is there"
        assert Counter(listed.values()) == {"SUCCEEDED": self.executions}
        figures: Counter[str] = Counter(executions=self.executions)
        recorded: dict[tuple[str, str, int], float] = {}
        with ThreadPoolExecutor(CLIENTS) as pool:
            for found in pool.map(self._read_some, range(CLIENTS)):
                recorded |= found
        once: Counter[tuple[str, str, int]] = Counter()
        ran: set[tuple[str, str]] = set()
        for line in map(json.loads, self._ledger.read_text().splitlines()):
            key = (line["execution"], line["operation"], line["attempt"])
            figures["bodies"] += 1
            assert key in recorded, "a body ran whose attempt is not in the history"
            assert line["at"] <= recorded[key] + 1, "a body ran again after its outcome was recorded"
            once[key] += line["once"]
            ran.add(key[:2])
        assert max(once.values()) == 1, "an at-most-once body ran again for the same attempt"
        assert len(ran) == STEPS * self.executions, "each step has run"
        figures["attempts"] = len(recorded)
        return figures

    def _read_some(self, client_number: int) -> dict[tuple[str, str, int], float]:
        """When each attempt's outcome was recorded, in ms."""
        client = Client(self._servers, client_number)
        recorded: dict[tuple[str, str, int], float] = {}
        for event, arn in self.arns.items():
            if event % CLIENTS != client_number:
                continue
            path = f"/2025-12-01/durable-executions/{quote(arn, safe='')}"
            _, _, execution = client.ask("GET", path)
            assert execution["Result"] == str(expected(event))
            _, _, history = client.ask("GET", f"{path}/history?MaxItems=1000")
            events = history["Events"]
            assert [one["EventId"] for one in events] == list(range(1, len(events) + 1))
            succeeded: Counter[str] = Counter()
            for one in events:
                kind = one["EventType"]
                if kind in ("StepSucceeded", "StepFailed"):
                    attempt = one[f"{kind}Details"]["RetryDetails"]["CurrentAttempt"]
                    recorded[arn.rpartition("/")[2], one["Id"], attempt] = one["EventTimestamp"] * 1000
                    succeeded[one["Id"]] += kind == "StepSucceeded"
            assert sorted(succeeded.values()) == [1] * STEPS, "each step has succeeded once"
            assert [one["EventType"] for one in events].count("ExecutionSucceeded") == 1
        client.close()
        return recorded
