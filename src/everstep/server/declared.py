"""The functions file: which functions a server knows when it starts, and what runs each.

Rule: it is read once, whole, before anything runs; what is wrong with it is said with the function's name.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, cast

from msgspec import Struct, field

from everstep.errors import UsageError
from everstep.protocol.limits import MAX_EXECUTION_TIMEOUT_S
from everstep.server.catalog import DEFAULT_TIMEOUT_S, Alias, Configuration, Function, Version
from everstep.server.code import Code, InProcess, InProcessDurable, is_durable
from everstep.server.document import read_document
from everstep.server.logs import log_file
from everstep.server.processes import DEFAULT_LIMIT, Processes
from everstep.server.pulled import Pulled
from everstep.server.references import LATEST
from everstep.server.shapes import DurableConfig, TenancyConfig
from everstep.server.worker import load
from everstep.service.functions import AnyDurable

MAX_TIMEOUT_S: Final = 5400
_WAYS: Final = ("handler", "process", "command", "endpoint")


class CodeDeclaration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What runs a version: at most one of handler (module:name, in the server's process), process (module:name, in processes of
    its own), command (of such a process, as a list or a line) and endpoint (a URL). None of them: workers that ask for work."""

    handler: str | None = None
    process: str | None = None
    command: str | list[str] | None = None
    endpoint: str | None = None


class _DurableConfig(Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    execution_timeout: int | None = None
    retention_period_in_days: int = 14


class FunctionDeclaration(CodeDeclaration, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A function. processes: how many run at a time at most. versions: code of numbered versions; without any of its own, the
    latest's. aliases: name to version."""

    name: str
    timeout: int = field(default=DEFAULT_TIMEOUT_S, name="Timeout")
    durable_config: _DurableConfig | None = field(default=None, name="DurableConfig")
    tenancy_config: TenancyConfig | None = field(default=None, name="TenancyConfig")
    description: str = field(default="", name="Description")
    environment: dict[str, str] = field(default_factory=dict[str, str])
    processes: int = DEFAULT_LIMIT
    versions: dict[int, CodeDeclaration | None] = field(default_factory=dict[int, CodeDeclaration | None])
    aliases: dict[str, str | int] = field(default_factory=dict[str, str | int])
    tags: dict[str, str] = field(default_factory=dict[str, str])


class FunctionsFile(Struct, frozen=True, forbid_unknown_fields=True):
    functions: list[FunctionDeclaration]


def read_functions(path: Path) -> Sequence[FunctionDeclaration]:
    """The declarations in a YAML, TOML or JSON file. Raises UsageError."""
    return read_document(path, FunctionsFile, "functions file").functions


def function_of(declared: FunctionDeclaration, *, default_timeout_s: int, logs: Path | None) -> Function:
    """The function. default_timeout_s: of executions, where DurableConfig does not say. logs: for processes' output. Raises UsageError."""
    if not 1 <= declared.timeout <= MAX_TIMEOUT_S:
        raise UsageError(f"function {declared.name}: Timeout is {declared.timeout}; it must lie between 1 and {MAX_TIMEOUT_S}")
    code = _code(declared, declared, LATEST, logs)
    configuration = Configuration(
        timeout_s=declared.timeout,
        durable=_durable_config(declared, code, default_timeout_s),
        tenancy=declared.tenancy_config,
        description=declared.description,
        others={"Handler": declared.handler or declared.process, "Environment": {"Variables": declared.environment}}
        if declared.handler or declared.process
        else {},
    )
    function = Function(declared.name, code, configuration)
    function.tags = dict(declared.tags)
    for number, own in sorted(declared.versions.items()):
        has_own = own is not None and any(getattr(own, way) is not None for way in _WAYS)
        version_code = _code(declared, own, str(number), logs) if own is not None and has_own else code
        function.versions[str(number)] = Version(number=str(number), configuration=configuration, code=version_code)
    for alias, target in declared.aliases.items():
        if str(target) not in function.versions:
            raise UsageError(f"function {declared.name}: the alias {alias!r} points to version {target}, which is not under `versions`")
        function.aliases[alias] = Alias(name=alias, version=str(target))
    return function


def _code(function: FunctionDeclaration, declared: CodeDeclaration, version: str, logs: Path | None) -> Code:
    ways = [way for way in _WAYS if getattr(declared, way) is not None]
    if len(ways) > 1:
        raise UsageError(f"function {function.name}: {' and '.join(ways)} are given; only one of them can run it")
    if declared.handler is not None:
        return in_process(declared.handler)
    if declared.endpoint is not None:
        from everstep.server.endpoint import AtEndpoint

        return AtEndpoint(declared.endpoint, function.name)
    if declared.process is not None:
        command: Sequence[str] = (sys.executable, "-m", "everstep.server.worker", declared.process)
        environment: Mapping[str, str] = {"_HANDLER": declared.process, **function.environment}
    elif declared.command is not None:
        command = shlex.split(declared.command) if isinstance(declared.command, str) else declared.command
        environment = function.environment
    else:
        return Pulled(function.name)
    if not command or function.processes < 1:
        raise UsageError(f"function {function.name}: it needs a command and at least one process")
    return Processes(
        function.name,
        command,
        version=version,
        environment=environment,
        limit=function.processes,
        logs=None if logs is None else log_file(logs, function.name, version),
    )


def in_process(target: str) -> Code:
    """Code of this process, by `module:name`. Raises UsageError."""
    found = load(target)
    return InProcessDurable(cast("AnyDurable", found)) if is_durable(found) else InProcess(found)


def _durable_config(declared: FunctionDeclaration, code: Code, default_timeout_s: int) -> DurableConfig | None:
    given = declared.durable_config
    if given is None:
        return DurableConfig(execution_timeout=default_timeout_s) if isinstance(code, InProcessDurable) else None
    if isinstance(code, InProcess):
        raise UsageError(f"function {declared.name}: {declared.handler} is not a durable handler, so it cannot have a DurableConfig")
    timeout_s = given.execution_timeout or default_timeout_s
    if not 1 <= timeout_s <= MAX_EXECUTION_TIMEOUT_S or not 1 <= given.retention_period_in_days <= 90:
        raise UsageError(
            f"function {declared.name}: ExecutionTimeout must lie between 1 and {MAX_EXECUTION_TIMEOUT_S} seconds, "
            "RetentionPeriodInDays between 1 and 90"
        )
    return DurableConfig(execution_timeout=timeout_s, retention_period_in_days=given.retention_period_in_days)
