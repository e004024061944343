"""The tree is the architecture: what stands in a PURE package decides and touches nothing, and imports point one way.

Read from the source with `ast`, so imports inside functions and under TYPE_CHECKING count as well. A package that does not
exist is skipped; a new one gets its row here and in CONTRIBUTING.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
SOURCE: Final = ROOT / "src" / "everstep"

PURE: Final = (
    *("lint", "protocol", "replay", "operations", "service.machine", "retry", "polling", "durations"),
    *("server.access.roles", "server.access.worker_tokens", "server.access.exposure"),
)
# fmt: off
IMPURE: Final = frozenset({
    "asyncio", "concurrent", "http", "multiprocessing", "os", "random", "secrets", "select", "selectors", "shutil", "signal",
    "socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time", "urllib", "uuid",
})
# fmt: on
CLOCK_READS: Final = frozenset({"now", "today", "utcnow"})

BASICS: Final = ("durations", "errors", "failures", "polling", "retry", "serdes")
# layer -> what of everstep it may import; `errors` imports nothing and is open to all
MAY_IMPORT: Final[Mapping[str, tuple[str, ...]]] = {
    "errors": (),
    "durations": ("errors",),
    "protocol": ("protocol",),
    "replay": ("errors", "protocol", "replay"),
    "retry": ("durations", "errors", "protocol"),
    "polling": ("durations", "errors", "protocol", "retry"),
    "serdes": ("errors",),
    "lint": ("errors", "lint"),
    "failures": ("errors", "protocol"),
    "operations": (*BASICS, "operations", "protocol", "replay"),
    # context: only to hand a child's body one of its own
    "stages": ("client.refusal", "errors", "protocol", "stages"),
    "plugins": ("errors", "plugins", "protocol"),
    "otel": ("__init__", "errors", "otel", "plugins", "protocol"),  # the package itself: for its version
    "official_envelope": ("protocol", "errors", "stages"),
    "runtime": (
        *BASICS,
        "client.api",
        "official_envelope",
        "operations",
        "plugins",
        "protocol",
        "replay",
        "runtime",
        "stages",
        "step_context",
        "threads",
    ),
    "client": ("client", "errors", "protocol", "threads"),
    "threads": (),
    # It lines up two histories as the command line does, and opens what stages wrote.
    "console": ("console", "errors", "histories.comparison", "histories.reading", "histories.recording", "protocol", "stages"),
    "service.machine": ("errors", "protocol", "service.machine"),
}

FACADE: Final = "__init__"  # the public names, `from everstep import …`: they are for users
OUTERMOST: Final = (FACADE, "cli", "histories", "pytest_plugin", "server", "testing")
# layer -> what of everstep it must never import: the two sides don't know each other, and nobody reaches outwards
MUST_NOT_IMPORT: Final[Mapping[str, tuple[str, ...]]] = {
    "context": (*OUTERMOST, "handler", "service"),
    "configuration": (*OUTERMOST, "context", "handler", "service"),
    "logging": (*OUTERMOST, "context", "handler", "service"),
    "saga": (*OUTERMOST, "handler", "service"),
    "synchronous": (*OUTERMOST, "handler", "service"),
    "waiting": (*OUTERMOST, "context", "handler", "service"),
    "handler": (*OUTERMOST, "service"),
    "service": (*OUTERMOST, "context", "handler", "operations", "replay", "runtime"),
    "histories": (FACADE, "cli", "server", "service", "testing"),
    "testing": (FACADE, "cli", "server"),
    # It knows handlers as the service does, by a Protocol.
    "server": (FACADE, "cli", "context", "handler", "operations", "replay", "runtime", "testing"),
    "service.stores": ("service.embedded", "service.engine", "service.executions", "service.invoker", "service.scheduler"),
}


@dataclass(frozen=True, slots=True)
class Import:
    """One name that a module imports, dotted and absolute, and the line it is imported on."""

    name: str
    line: int


def imports(source: str, module: str) -> Iterator[Import]:
    """Every import in the source. module: its dotted name (of a package: with `.__init__`), to resolve relative imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(module.split(".")[: -node.level]) if node.level else ""
            base = ".".join(part for part in (start, node.module) if part)
            yield from (Import(f"{base}.{alias.name}", node.lineno) for alias in node.names)


def clock_reads(source: str) -> Iterator[int]:
    """The lines that ask the datetime module what time it is."""
    tree = ast.parse(source)
    names = {"datetime"} | {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if alias.name == "datetime" or (isinstance(node, ast.ImportFrom) and node.module == "datetime")
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in CLOCK_READS:
            first = ast.unparse(node.value).split(".")[0]
            if first in names:
                yield node.lineno


def impurities(source: str, module: str) -> Iterator[tuple[int, str]]:
    """What pure code may not do, as (line, description)."""
    for found in imports(source, module):
        if found.name.split(".")[0] in IMPURE:
            yield found.line, f"imports {found.name.split('.')[0]}"
    for line in clock_reads(source):
        yield line, "reads the clock"


def own_imports(source: str, module: str) -> Iterator[Import]:
    """What the source imports of everstep, named from below it; FACADE for a public name."""
    for found in imports(source, module):
        package, _, below = found.name.partition(".")
        if package == "everstep":
            is_module = "." in below or (SOURCE / f"{below}.py").is_file() or (below and (SOURCE / below).is_dir())
            yield Import(below if is_module else FACADE, found.line)


def lies_in(name: str, layers: tuple[str, ...]) -> bool:
    """Whether the dotted name is one of the layers or something inside one."""
    return any(name == layer or name.startswith(f"{layer}.") for layer in layers)


def files_of(layer: str) -> list[Path]:
    """The layer's source files; skips the test if the layer does not exist."""
    place = SOURCE / layer.replace(".", "/")
    if place.is_dir():
        return sorted(place.rglob("*.py"))
    if place.with_suffix(".py").is_file():
        return [place.with_suffix(".py")]
    pytest.skip(f"everstep.{layer} does not exist")


def module_of(path: Path) -> str:
    return ".".join(("everstep", *path.relative_to(SOURCE).with_suffix("").parts))


def at(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


@pytest.mark.parametrize("layer", PURE)
def test_pure_code_imports_nothing_that_touches_the_world(layer: str) -> None:
    found = [
        f"{at(path, line)} {what}: code in everstep.{layer} is pure, take it as an argument"
        for path in files_of(layer)
        for line, what in impurities(path.read_text(), module_of(path))
    ]

    assert not found, "\n".join(found)


@pytest.mark.parametrize("layer", MAY_IMPORT)
def test_a_layer_imports_only_what_stands_below_it(layer: str) -> None:
    allowed = MAY_IMPORT[layer]

    found = [
        f"{at(path, one.line)} imports everstep.{one.name}: everstep.{layer} may import {', '.join(allowed) or 'nothing of everstep'}"
        for path in files_of(layer)
        for one in own_imports(path.read_text(), module_of(path))
        if not lies_in(one.name, allowed)
    ]

    assert not found, "\n".join(found)


@pytest.mark.parametrize("layer", MUST_NOT_IMPORT)
def test_a_layer_does_not_reach_outwards_or_to_the_other_side(layer: str) -> None:
    refused = MUST_NOT_IMPORT[layer]

    found = [
        f"{at(path, one.line)} imports everstep.{one.name}: everstep.{layer} must not import {', '.join(refused)}"
        for path in files_of(layer)
        for one in own_imports(path.read_text(), module_of(path))
        if lies_in(one.name, refused)
    ]

    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import os.path", [(1, "imports os")]),
        ("import json\nfrom time import monotonic", [(2, "imports time")]),
        ("def f():\n    import socket as s", [(2, "imports socket")]),
        ("from datetime import datetime\nat = datetime.now()", [(2, "reads the clock")]),
        ("import datetime as dt\nat = dt.datetime.now(dt.UTC)", [(2, "reads the clock")]),
        ("from datetime import date as day\nat = day.today", [(2, "reads the clock")]),
        ("from datetime import datetime\nat = datetime(2026, 1, 1)", []),
        ("from everstep.protocol import time", []),
        ("at = self.clock.now()", []),
    ],
)
def test_impurities_are_found_wherever_they_stand(source: str, expected: list[tuple[int, str]]) -> None:
    assert list(impurities(source, "everstep.replay.journal")) == expected


@pytest.mark.parametrize(
    ("source", "module", "expected"),
    [
        ("import everstep.errors", "everstep.replay.journal", "errors"),
        ("from everstep.protocol.shapes import Operation", "everstep.replay.journal", "protocol.shapes.Operation"),
        ("from everstep import protocol", "everstep.replay.journal", "protocol"),
        ("from everstep import DurableContext", "everstep.replay.journal", FACADE),
        ("import everstep", "everstep.replay.journal", FACADE),
        ("from everstep.context import DurableContext", "everstep.runtime.child", "context.DurableContext"),
        ("from . import errors", "everstep.retry", "errors"),
        ("from .shapes import Operation", "everstep.protocol.__init__", "protocol.shapes.Operation"),
        ("from ..errors import UsageError", "everstep.replay.journal", "errors.UsageError"),
    ],
)
def test_imports_of_everstep_are_named_from_below_it(source: str, module: str, expected: str) -> None:
    assert list(own_imports(source, module)) == [Import(expected, 1)]
