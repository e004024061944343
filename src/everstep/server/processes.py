"""A function in processes of its own: workers that the server starts when there is work, and again when they die.

Rule: a process that ends fails the invocation that it had, as `Runtime.ExitError`; one that ends before it ever asked for
work fails what waits, for the next would fare no better. A process whose invocation is given up is killed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from everstep.server.access.keys import AccessKey
from everstep.server.access.worker_tokens import mint_worker_token, runtime_path
from everstep.server.code import EXIT_ERROR, FunctionCall, failed
from everstep.server.environment import CREDENTIALS, some_credentials, worker_environment
from everstep.server.pulled import Pulled

log = logging.getLogger("everstep.server")

DEFAULT_LIMIT: Final = 8
"""Processes of one function at a time."""
LAST_WORDS_S: Final = 2.0
"""How long a process may take to end when it is asked to."""
_CHUNK: Final = 65_536


class Processes:
    """Code that processes run. command: that begins a worker, which asks the Runtime API named in its environment.

    logs: the file that their output goes to, None: the server's own standard error.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        version: str = "$LATEST",
        environment: Mapping[str, str] | None = None,
        limit: int = DEFAULT_LIMIT,
        logs: Path | None = None,
    ) -> None:
        self.pulled = Pulled(name)
        self.pulled.on_waiting = self._more
        self.pulled.on_asked = self._asked
        self.pulled.on_abandoned = self._kill
        self._name, self._version, self._command = name, version, command
        self._environment = dict(environment or {})
        self._limit, self._logs = limit, logs
        self._processes: dict[str, asyncio.subprocess.Process | None] = {}
        self._asked_once: set[str] = set()
        self._address: str | None = None
        self._region = ""
        self._key: AccessKey | None = None
        self._group: asyncio.TaskGroup | None = None

    def start(self, group: asyncio.TaskGroup, address: str, region: str, key: AccessKey | None = None) -> None:
        """From now on, run processes. address: where the server answers. key: for them, None if it asks for none."""
        self._group, self._address, self._region, self._key = group, address, region, key
        self._more()

    @property
    def handler(self) -> str | None:
        """`module:name`, if the processes run that; None if their command is another one."""
        return self._environment.get("_HANDLER")

    async def call(self, call: FunctionCall) -> str:
        """See Code."""
        return await self.pulled.call(call)

    async def close(self) -> None:
        self._group = None
        await self.pulled.close()
        processes = [process for process in self._processes.values() if process is not None]
        for process in processes:
            with suppress(ProcessLookupError):
                process.terminate()
        ends = [asyncio.ensure_future(process.wait()) for process in processes]
        if ends:
            _, late = await asyncio.wait(ends, timeout=LAST_WORDS_S)
            for process in processes if late else ():
                with suppress(ProcessLookupError):
                    process.kill()
            await asyncio.wait(ends)

    # -- processes

    def _more(self) -> None:
        """Begin as many processes as there is work for."""
        if self._group is None:
            return
        starting = len(self._processes) - len(self._asked_once)
        for _ in range(min(self.pulled.waiting - starting, self._limit - len(self._processes))):
            worker = uuid4().hex
            self._processes[worker] = None
            self._group.create_task(self._run(worker), name=f"worker of {self._name}")

    def _asked(self, worker: str) -> None:
        if worker in self._processes:
            self._asked_once.add(worker)

    def _kill(self, worker: str) -> None:
        process = self._processes.get(worker)
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()

    async def _run(self, worker: str) -> None:
        says = "could not be started"
        try:
            process = await self._begin(worker)
            self._processes[worker] = process
            try:
                await self._pass_on_output(process)
                says = _ending(await process.wait())
            finally:
                with suppress(ProcessLookupError):
                    process.kill()
        except OSError as error:
            says = f"could not be started: {error}"
        finally:
            self._ended(worker, says)

    def _ended(self, worker: str, says: str) -> None:
        del self._processes[worker]
        error = failed(EXIT_ERROR, f"The process of {self._name} {says}")
        self.pulled.gone((worker,), error)
        if worker in self._asked_once:
            self._asked_once.discard(worker)
        elif self._group is not None:
            log.warning("%s: before it asked for its first invocation", error.error.error_message)
            self.pulled.fail_all(error)
        self._more()

    async def _begin(self, worker: str) -> asyncio.subprocess.Process:
        assert self._address is not None
        token, credentials = None, some_credentials(os.environ)
        if (key := self._key) is not None:
            token = mint_worker_token(key.access_key_id, key.secret_access_key, self._name)
            credentials = {"AWS_ACCESS_KEY_ID": key.access_key_id, "AWS_SECRET_ACCESS_KEY": key.secret_access_key}
        path = runtime_path(f"{self._name}:{self._version}", token)
        environment = {
            **{name: value for name, value in os.environ.items() if name not in CREDENTIALS},
            "PYTHONUNBUFFERED": "1",
            **worker_environment(f"http://{self._address}", self._region, self._name, self._version),
            **credentials,
            "AWS_LAMBDA_RUNTIME_API": f"{self._address}{path}/{worker}",
            "LAMBDA_TASK_ROOT": os.getcwd(),
            **self._environment,
        }
        return await asyncio.create_subprocess_exec(
            *self._command,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # the terminal's Ctrl-C is for the server, which lets it finish first
        )

    async def _pass_on_output(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        if self._logs is None:
            while chunk := await process.stdout.read(_CHUNK):
                sys.stderr.buffer.write(chunk)
                sys.stderr.flush()
            return
        with self._logs.open("ab", buffering=0) as file:
            while chunk := await process.stdout.read(_CHUNK):
                file.write(chunk)


def _ending(code: int) -> str:
    return f"exited with status {code}" if code >= 0 else f"was ended by signal {-code}"
