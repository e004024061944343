"""EVS005: files."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from everstep.lint.forbidden import is_listed, shown
from everstep.lint.origins import origin
from everstep.lint.program import Program
from everstep.lint.rule import Report, Rule, reached

_TOUCHES: Final = frozenset(
    {"builtins.open", "builtins.input", "io.open", "codecs.open", "aiofiles.*", "glob.*", "shutil.*", "tempfile.*"}
    | {
        f"os.{name}"
        for name in (
            *("access", "chmod", "chown", "link", "listdir", "lstat", "makedirs", "mkdir", "mkfifo", "open", "read", "readlink"),
            *("remove", "removedirs", "rename", "renames", "replace", "rmdir", "scandir", "stat", "symlink", "truncate", "unlink"),
            *("utime", "walk", "write"),
        )
    }
    | {f"os.path.{name}" for name in ("exists", "getatime", "getctime", "getmtime", "getsize", "isdir", "isfile", "islink", "lexists")}
)
_PURE: Final = frozenset({"glob.escape", "glob.translate", "tempfile.gettempdir", "tempfile.gettempprefix"})
_PATHS: Final = frozenset({"pathlib.Path", "pathlib.PosixPath", "pathlib.WindowsPath", "anyio.Path"})
_OF_PATHS: Final = frozenset(
    {
        *("chmod", "exists", "glob", "group", "hardlink_to", "is_dir", "is_file", "is_symlink", "iterdir", "lstat", "mkdir", "open"),
        *("owner", "read_bytes", "read_text", "readlink", "rename", "replace", "rglob", "rmdir", "stat", "symlink_to", "touch", "unlink"),
        *("walk", "write_bytes", "write_text"),
    }
)
_STILL_PATHS: Final = frozenset(
    {"absolute", "expanduser", "joinpath", "parent", "relative_to", "resolve", "with_name", "with_stem", "with_suffix"}
)


def check(program: Program) -> Iterator[Report]:
    for call, _, handling in program.calls():
        name = program.module.qualified(call.func)
        if name is not None and is_listed(name, _TOUCHES) and name not in _PURE:
            touched = shown(name)
        elif (
            isinstance(call.func, ast.Attribute)
            and call.func.attr in _OF_PATHS
            and origin(program.module, call.func.value, _STILL_PATHS) in _PATHS
        ):
            touched = f"Path.{call.func.attr}"
        else:
            continue
        yield Report(
            call,
            f"handler code touches the file system with {touched}(); every replay does so again, and may find something else: "
            f"do it in a step, which runs once and records what it returns{reached(handling)}",
        )


RULE: Final = Rule("EVS005", "files", "files are touched in handler code", check)
