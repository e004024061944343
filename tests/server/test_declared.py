from __future__ import annotations

from pathlib import Path

import pytest

from everstep.errors import UsageError
from everstep.server.code import InProcess, InProcessDurable
from everstep.server.declared import function_of, read_functions
from everstep.server.endpoint import AtEndpoint
from everstep.server.processes import Processes
from everstep.server.pulled import Pulled

YAML = """
functions:
  - name: order
    handler: tests.server.functions:order
    Timeout: 30
    DurableConfig: {ExecutionTimeout: 3600, RetentionPeriodInDays: 7}
    TenancyConfig: {TenantIsolationMode: PER_TENANT}
    versions: {1: {handler: "tests.server.functions:quick"}, 2: }
    aliases: {live: 1}
    tags: {team: blue}
  - {name: plain, handler: "tests.server.functions:plain"}
  - {name: apart, process: "tests.server.functions:order", environment: {A: b}}
  - {name: ric, command: python -m awslambdaric tests.server.functions.plain}
  - {name: far, endpoint: "http://localhost:9001"}
  - {name: pulled}
"""
TOML = """
[[functions]]
name = "order"
handler = "tests.server.functions:order"
aliases = { live = "1" }
[functions.versions.1]
"""


def written(directory: Path, text: str, suffix: str) -> Path:
    path = directory / f"functions{suffix}"
    path.write_text(text)
    return path


def test_each_way_of_running_a_function_can_be_declared(tmp_path: Path) -> None:
    declared = read_functions(written(tmp_path, YAML, ".yaml"))

    order, plain, apart, ric, far, pulled = [function_of(one, default_timeout_s=900, logs=tmp_path) for one in declared]

    assert isinstance(order.latest.code, InProcessDurable)
    assert order.latest.configuration.timeout_s == 30
    durable = order.latest.configuration.durable
    assert durable is not None
    assert (durable.execution_timeout, durable.retention_period_in_days) == (3600, 7)
    assert order.versions["1"].code is not order.latest.code
    assert order.versions["2"].code is order.latest.code
    assert (order.aliases["live"].version, order.tags) == ("1", {"team": "blue"})
    assert isinstance(plain.latest.code, InProcess)
    assert isinstance(apart.latest.code, Processes)
    assert isinstance(ric.latest.code, Processes)
    assert isinstance(far.latest.code, AtEndpoint)
    assert isinstance(pulled.latest.code, Pulled)
    assert not plain.is_durable


def test_a_handler_that_is_durable_needs_no_durable_config(tmp_path: Path) -> None:
    (declared,) = read_functions(written(tmp_path, TOML, ".toml"))

    durable = function_of(declared, default_timeout_s=77, logs=None).latest.configuration.durable

    assert durable is not None
    assert durable.execution_timeout == 77


@pytest.mark.parametrize(
    ("text", "suffix", "said"),
    [
        ("functions: [{handler: a}]", ".yaml", "name"),
        ("functions: [{name: a, handlr: b}]", ".yaml", "handlr"),
        ("functions: [", ".yml", "not understood"),
        ("{", ".json", "not understood"),
        ("[[", ".toml", "not understood"),
        ("", ".txt", "suffix '.txt'"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(tmp_path: Path, text: str, suffix: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_functions(written(tmp_path, text, suffix))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_functions(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ("handler: tests.server.functions:order, endpoint: http://localhost", "handler and endpoint are given"),
        ("handler: nonsense", "names no function"),
        ("handler: tests.server.nowhere:nothing", "no module"),
        ("handler: tests.server.functions:nothing", "has no 'nothing'"),
        ("handler: tests.server.functions:plain, DurableConfig: {ExecutionTimeout: 5}", "not a durable handler"),
        ("process: a:b, DurableConfig: {ExecutionTimeout: 99999999}", "ExecutionTimeout must lie"),
        ("process: a:b, Timeout: 0", "Timeout is 0"),
        ("process: a:b, processes: 0", "at least one process"),
        ("endpoint: nowhere", "not a usable endpoint"),
        ("process: a:b, aliases: {live: 3}", "version 3, which is not under"),
    ],
)
def test_a_function_that_cannot_be_served_is_refused(tmp_path: Path, members: str, said: str) -> None:
    (declared,) = read_functions(written(tmp_path, f"functions: [{{name: order, {members}}}]", ".yaml"))

    with pytest.raises(UsageError, match=said):
        function_of(declared, default_timeout_s=900, logs=None)
