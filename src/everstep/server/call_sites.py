"""Where in its handler's code each operation of an execution is called, as far as the server can read that code.

Rule: nothing is said that may be wrong. Of a name that more than one place may record, of code that has changed since the server
started, and of code that is not on this machine, nothing is known. Nothing is imported or run for it, and no handler waits for it.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import sys
import textwrap
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from everstep.lint.call_sites import CallSite, call_sites, imports, the_site
from everstep.server.code import Code, InProcessDurable
from everstep.server.processes import Processes
from everstep.server.shapes import ShownCallSite
from everstep.service.machine.model import Record

MOST_FILES: Final = 200
MOST_BYTES: Final = 4_000_000
"""Of source that belongs to a handler; more is not looked at, and nothing is said."""
BEFORE, AFTER = 1, 3
"""Lines that are shown around a call."""
_OPAQUE: Final = frozenset({"WaitForCallback"})
"""Operations whose own operations are not called by the handler's code."""
_NOT_THE_USERS: Final = (os.path.dirname(os.__file__), f"{os.sep}site-packages{os.sep}", str(Path(__file__).parent.parent))


class _Handler(NamedTuple):
    """Where a handler is defined. root: the directory that its module is imported from."""

    root: Path
    file: Path
    module: str
    name: str


class _Sources(NamedTuple):
    """lines: of each file."""

    sites: Sequence[CallSite]
    lines: Mapping[str, Sequence[str]]


class CallSites:
    """of: asked when somebody wants to see them; the code is read once, in a thread."""

    def __init__(self) -> None:
        self._since = time.time()
        self._known: WeakKeyDictionary[Code, _Sources] = WeakKeyDictionary()

    async def of(self, code: Code, records: Iterable[Record]) -> list[ShownCallSite]:
        """Of the operations among an execution's records, by what tells them apart."""
        sources = self._known.get(code)
        if sources is None:
            handler = _handler_of(code)
            sources = _Sources((), {}) if handler is None else await asyncio.to_thread(_read, handler, self._since)
            self._known[code] = sources
        kinds, inside = _kinds(records)
        found: list[ShownCallSite] = []
        for sub_type, name in kinds - inside if sources.sites else ():
            site = the_site(sources.sites, sub_type, name)
            if site is not None:
                source = _around(sources.lines[site.file], site.line)
                found.append(ShownCallSite(sub_type=sub_type, name=name, file=site.file, line=site.line, source=source))
        return sorted(found, key=lambda one: (one.file, one.line))


def _kinds(records: Iterable[Record]) -> tuple[set[tuple[str, str | None]], set[tuple[str, str | None]]]:
    """Sub-types and names of the operations, and those of operations that an operation of ours began by itself."""
    kinds: set[tuple[str, str | None]] = set()
    inside: set[tuple[str, str | None]] = set()
    opaque: set[str] = set()
    for record in records:
        operation = record.operation
        if operation.sub_type is None:
            continue
        (inside if operation.parent_id in opaque else kinds).add((operation.sub_type, operation.name))
        if operation.sub_type in _OPAQUE:
            opaque.add(operation.id)
    return kinds, inside


def _around(lines: Sequence[str], line: int) -> str:
    return textwrap.dedent("\n".join(lines[max(line - 1 - BEFORE, 0) : line + AFTER])).rstrip()


# -- finding and reading the code


def _handler_of(code: Code) -> _Handler | None:
    match code:
        case InProcessDurable(body=body):
            if not inspect.isfunction(body):
                return None
            file, module = Path(body.__code__.co_filename), body.__module__
            return _Handler(_root(file, module), file, module, body.__name__)
        case Processes(handler=str(target)):
            module, _, name = target.partition(":") if ":" in target else target.rpartition(".")
            found = _located(module, [Path.cwd(), *map(Path, sys.path)])
            return None if found is None else _Handler(*found, module, name)
        case _:
            return None


def _root(file: Path, module: str) -> Path:
    parts = module.count(".") + (file.name == "__init__.py")
    return file.parents[parts] if module != "__main__" and parts < len(file.parents) else file.parent


def _located(module: str, directories: Iterable[Path]) -> tuple[Path, Path] | None:
    """The directory that a module is imported from, and its file; None if it is nowhere, or none of the user's."""
    for directory in directories:
        place = directory.joinpath(*module.split("."))
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return None if any(part in str(file) for part in _NOT_THE_USERS) else (directory, file)
    return None


def _read(handler: _Handler, since: float) -> _Sources:
    """The code of a handler, and of all that it imports, that is the user's; nothing if one of the files is newer than `since`."""
    sites: list[CallSite] = []
    lines: dict[str, Sequence[str]] = {}
    room = MOST_BYTES
    ahead = deque([(handler.root, handler.file, handler.module, handler.name)])
    seen = {handler.file}
    try:
        while ahead:
            root, file, module, name = ahead.popleft()
            text = file.read_text(encoding="utf-8")
            room -= len(text)
            if room < 0 or len(lines) == MOST_FILES or file.stat().st_mtime > since:
                return _Sources((), {})
            tree, shown = ast.parse(text), str(file.relative_to(root)) if file.is_relative_to(root) else file.name
            sites += call_sites(tree, shown, name)
            lines[shown] = text.splitlines()
            for imported in imports(tree, module if file.name != "__init__.py" else f"{module}.__init__"):
                found = _located(imported, [root, Path.cwd(), *map(Path, sys.path)])
                if found is not None and found[1] not in seen and imported.partition(".")[0] not in sys.stdlib_module_names:
                    seen.add(found[1])
                    ahead.append((*found, imported, ""))
    except (OSError, ValueError, SyntaxError, RecursionError):
        return _Sources((), {})
    return _Sources(sites, lines)
