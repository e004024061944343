"""The handlers, served in each of the ways in which the server runs functions."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import pkgutil
import sys
from collections.abc import AsyncGenerator, Generator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, redirect_stdout
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

import msgspec

from everstep import DurableHandler
from everstep.logging import JsonLines
from everstep.server.declared import FunctionsFile, function_of
from everstep.server.serving import Server, serving
from tests.conformance import handlers

Kind: TypeAlias = Literal["process", "in-process", "worker"]
KINDS: Final[Sequence[Kind]] = get_args(Kind)

EXECUTION_TIMEOUTS_S: Final = {"wait-minutes": 3700, "wait-hours": 7200}
TENANTS: Final = "invoke-target-of-tenant"
WORKERS: Final = 2


class Handler(NamedTuple):
    """function: its name. target: module:name. requirement: that it is for, None: a function that others invoke."""

    function: str
    target: str
    requirement: str | None

    @property
    def ends_its_process(self) -> bool:
        return "interrupted" in self.function


def all_handlers() -> Iterator[Handler]:
    for module in pkgutil.iter_modules(handlers.__path__, f"{handlers.__name__}."):
        suite = module.name.rsplit(".", 1)[-1].replace("_", "-")
        for name, found in vars(importlib.import_module(module.name)).items():
            if isinstance(found, DurableHandler):
                requirement = (found.__doc__ or "").partition(":")[0] if found.__doc__ else None
                yield Handler(f"{suite}-{name.replace('_', '-')}", f"{module.name}:{name}", requirement)


def mapping() -> Mapping[str, str]:
    """The functions by their requirements, as the harness wants it."""
    return {one.requirement: one.function for one in all_handlers() if one.requirement is not None}


@asynccontextmanager
async def served(kind: Kind, store: str, logs: Path) -> AsyncGenerator[Server]:
    """A server with a function for each requirement. logs: a directory, for what they log."""
    found = list(all_handlers())
    declared = msgspec.convert({"functions": [_declaration(kind, one) for one in found]}, FunctionsFile).functions
    functions = [function_of(one, default_timeout_s=300, logs=logs) for one in declared]
    with _output_to(logs / "server.log"):
        async with serving(store, functions, grace_s=1) as server, asyncio.TaskGroup() as group:
            workers = [group.create_task(_kept(command, logs / "workers.log")) for command in _workers(kind, server.url, found)]
            yield server
            for worker in workers:
                worker.cancel()


@contextmanager
def _output_to(path: Path) -> Generator[None]:
    """While the block runs, what this process prints and what its handlers log is in one file, in order."""
    logger = logging.getLogger("everstep.handler")
    with path.open("a", buffering=1) as printed, redirect_stdout(printed):
        lines = logging.StreamHandler(printed)
        lines.setFormatter(JsonLines())
        logger.addHandler(lines)
        logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logger.removeHandler(lines)
            logger.setLevel(logging.NOTSET)


def _declaration(kind: Kind, handler: Handler) -> dict[str, object]:
    declared: dict[str, object] = {
        "name": handler.function,
        "Timeout": 60,
        "DurableConfig": {"ExecutionTimeout": EXECUTION_TIMEOUTS_S.get(handler.function, 300)},
    }
    if kind == "in-process" and not handler.ends_its_process:  # which would be the server's
        declared["handler"] = handler.target
    elif kind != "worker":
        declared |= {"process": handler.target, "processes": 2}
    return declared | ({"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}} if handler.function == TENANTS else {})


def _workers(kind: Kind, url: str, found: Sequence[Handler]) -> Iterator[Sequence[str]]:
    """The commands of workers: a few that serve all functions, and one for each function that would take its worker's others along."""
    if kind != "worker":
        return
    command = (sys.executable, "-m", "everstep.cli.main", "worker", "--server", url)
    shared = [f"{one.function}={one.target}" for one in found if not one.ends_its_process]
    for _ in range(WORKERS):
        yield (*command, *shared)
    for one in found:
        if one.ends_its_process:
            yield (*command, f"{one.function}={one.target}")


async def _kept(command: Sequence[str], log: Path) -> None:
    """Run a worker, and again when it ends, as whatever supervises services does."""
    with log.open("ab") as file:
        while True:
            process = await asyncio.create_subprocess_exec(*command, stdout=file, stderr=file)
            try:
                await process.wait()
            finally:
                if process.returncode is None:
                    process.terminate()
                    await process.wait()


def write_mapping(path: Path) -> None:
    path.write_text(json.dumps(mapping(), indent=2))
