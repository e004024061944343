"""Serves the handlers and runs the published requirements against them.

    python -m tests.conformance.run HARNESS [its options …]

HARNESS is the directory of run_conformance.py and the requirements. The suite's wheel is the one that --suite-wheel names, or
`$DURABLE_CONFORMANCE_SUITE`, or is downloaded. Everything that is written goes to build/conformance.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import pkgutil
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from everstep import DurableHandler
from everstep.server.declared import function_of, read_functions
from everstep.server.serving import serving
from tests.conformance import handlers

BUILD: Final = Path("build/conformance")
SUITE: Final = "aws-durable-execution-conformance-tests"
EXECUTION_TIMEOUTS_S: Final = {"wait-minutes": 3700, "wait-hours": 7200}
TENANTS: Final = "invoke-target-of-tenant"


def handlers_by_name() -> Iterator[tuple[str, str, str | None]]:
    """Each function's name, where it is, and its requirement."""
    for module in pkgutil.iter_modules(handlers.__path__, f"{handlers.__name__}."):
        suite = module.name.rsplit(".", 1)[-1].replace("_", "-")
        for name, found in vars(importlib.import_module(module.name)).items():
            if isinstance(found, DurableHandler):
                requirement = (found.__doc__ or "").partition(":")[0] if found.__doc__ else None
                yield f"{suite}-{name.replace('_', '-')}", f"{module.name}:{name}", requirement


def declaration(name: str, target: str) -> dict[str, object]:
    declared: dict[str, object] = {
        "name": name,
        "process": target,
        "processes": 2,
        "Timeout": 60,
        "DurableConfig": {"ExecutionTimeout": EXECUTION_TIMEOUTS_S.get(name, 300)},
    }
    return declared | ({"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}} if name == TENANTS else {})


def write_files() -> None:
    """The functions file of the server, and the mapping of the harness."""
    found = list(handlers_by_name())
    functions = [declaration(name, target) for name, target, _ in found]
    (BUILD / "functions.json").write_text(json.dumps({"functions": functions}, indent=2))
    mapping = {requirement: name for name, _, requirement in found if requirement is not None}
    (BUILD / "mapping.json").write_text(json.dumps(mapping, indent=2))


def suite_wheel() -> Path:
    known = sorted(BUILD.glob("aws_durable_execution_conformance_tests-*.whl"))
    if not known:
        download = ["pip", "download", "--quiet", "--no-deps", "--python-version", "3.14", "--only-binary=:all:", "--dest", str(BUILD)]
        subprocess.run([sys.executable, "-m", *download, SUITE], check=True)
        known = sorted(BUILD.glob("aws_durable_execution_conformance_tests-*.whl"))
    return known[-1]


async def run(harness: Path, options: list[str]) -> int:
    BUILD.mkdir(parents=True, exist_ok=True)
    logs = BUILD / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir()
    write_files()
    functions = [function_of(one, default_timeout_s=300, logs=logs) for one in read_functions(BUILD / "functions.json")]
    if "--suite-wheel" not in options and not os.environ.get("DURABLE_CONFORMANCE_SUITE"):
        options = ["--suite-wheel", str(suite_wheel()), *options]
    async with serving(f"sqlite:///{BUILD / 'store.db'}", functions, grace_s=1) as server:
        command = [str(harness / "run_conformance.py"), "--endpoint-url", server.url, "--functions", str(BUILD / "mapping.json")]
        command += ["--requirements", str(harness / "requirements"), "--logs-dir", str(logs), *options]
        process = await asyncio.create_subprocess_exec(sys.executable, *command)
        return await process.wait()


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(asyncio.run(run(Path(sys.argv[1]), sys.argv[2:])))


if __name__ == "__main__":
    main()
