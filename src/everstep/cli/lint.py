"""`everstep lint`: the determinism rules over files.

Rule: it needs the standard library alone, so that it runs wherever the package is installed. Exit codes: 0, nothing was found; 1,
something was; 2, it could not be run as asked.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from everstep.errors import UsageError
from everstep.lint.check import SUMMARIES, check
from everstep.lint.findings import Finding
from everstep.lint.output import FORMATS
from everstep.lint.settings import Settings, settings

_NOT_OURS: Final = frozenset({"__pycache__", "build", "dist", "node_modules", "site-packages", "venv"})
_STDIN: Final = "-"


def lint(arguments: Sequence[str]) -> int:
    """Run the command. Returns its exit code."""
    options = _parser().parse_args(arguments)
    if options.rules:
        _write("\n".join(f"{rule_id}  {name:18} {summary}" for rule_id, (name, summary) in SUMMARIES.items()))
        return 0
    try:
        config = options.config or _nearest_pyproject()
        chosen = settings(
            "" if config is None else config.read_text(encoding="utf-8"),
            select=_split(options.select),
            ignore=_split(options.ignore),
            exclude=_split(options.exclude),
        )
        base = Path.cwd() if config is None or options.exclude is not None else config.parent
        paths = list(dict.fromkeys(_files(options.paths, chosen, base)))
        found = [one for path in paths for one in check(_source(path), _shown(path, options.stdin_filename), chosen.selected)]
    except (UsageError, OSError) as error:
        sys.stderr.write(f"everstep lint: {error}\n")
        return 2
    _write(FORMATS[options.format](found))
    sys.stderr.write(_summary(found, len(paths)))
    return 1 if found else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="everstep lint", description="Find what breaks replay in handler code. Exit code 1 if there is any."
    )
    parser.add_argument("paths", nargs="*", default=["."], metavar="PATH", help="files, directories to search, or - for standard input")
    parser.add_argument("--format", choices=[*FORMATS], default="text")
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    parser.add_argument("--select", metavar="RULES", help="only these, ids or names, with commas between")
    parser.add_argument("--ignore", metavar="RULES", help="all but these")
    parser.add_argument("--exclude", metavar="PATTERNS", help="paths to leave out, with commas between")
    parser.add_argument("--config", type=Path, metavar="FILE", help="instead of the pyproject.toml here or above")
    parser.add_argument("--stdin-filename", default="stdin.py", metavar="NAME", help="what findings in standard input name it")
    parser.add_argument("--rules", action="store_true", help="list the rules")
    return parser


def _split(given: str | None) -> list[str] | None:
    return None if given is None else [part for part in given.split(",") if part]


def _nearest_pyproject() -> Path | None:
    here = Path.cwd()
    return next((place / "pyproject.toml" for place in (here, *here.parents) if (place / "pyproject.toml").is_file()), None)


def _files(paths: Sequence[str], chosen: Settings, base: Path) -> Iterator[str]:
    """base: of the patterns of what is left out. They hold for files that are named too, as pre-commit names them."""
    for path in paths:
        if path == _STDIN:
            yield path
        elif os.path.isfile(path):
            if not chosen.leaves_out(_relative(path, base)):
                yield os.path.normpath(path)
        elif os.path.isdir(path):
            yield from _searched(path, chosen, base)
        else:
            raise UsageError(f"there is no file or directory {path}")


def _searched(directory: str, chosen: Settings, base: Path) -> Iterator[str]:
    for place, directories, files in os.walk(directory):
        kept = [name for name in directories if name not in _NOT_OURS and not name.startswith(".")]
        directories[:] = sorted(name for name in kept if not chosen.leaves_out(_relative(os.path.join(place, name), base)))
        for name in sorted(files):
            path = os.path.normpath(os.path.join(place, name))
            if name.endswith(".py") and not chosen.leaves_out(_relative(path, base)):
                yield path


def _relative(path: str, base: Path) -> str:
    return Path(os.path.relpath(path, base)).as_posix()


def _source(path: str) -> bytes:
    return sys.stdin.buffer.read() if path == _STDIN else Path(path).read_bytes()


def _shown(path: str, stdin_filename: str) -> str:
    return stdin_filename if path == _STDIN else Path(path).as_posix()


def _write(text: str) -> None:
    if text:
        # A console that can't write a character of the source must not end the run.
        sys.stdout.buffer.write(text.encode(sys.stdout.encoding or "utf-8", errors="backslashreplace") + b"\n")
        sys.stdout.flush()


def _summary(found: Sequence[Finding], files: int) -> str:
    counted = f"{files} file{'s' * (files != 1)}"
    return f"everstep lint: {len(found)} finding{'s' * (len(found) != 1)} in {counted}\n"
