"""The server that `everstep dev` starts, and starts again: every durable handler of one file.

    python -m everstep.cli.served_file FILE STORE PORT

Rule: code that does not import ends the process with DOES_NOT_IMPORT, and says why by the user's own lines alone.
"""

from __future__ import annotations

import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from everstep.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

DOES_NOT_IMPORT: Final = 3
GRACE_S: Final = 1.0


def root_of(file: Path) -> Path:
    """The directory that the file is imported from: the first above it that is no package."""
    place = file.resolve().parent
    while (place / "__init__.py").is_file():
        place = place.parent
    return place


def module_of(file: Path) -> str:
    return ".".join(file.resolve().relative_to(root_of(file)).with_suffix("").parts)


def handlers_of(members: Mapping[str, object]) -> dict[str, str]:
    """The durable handlers among a module's members: the variable's name by the function's. Raises UsageError."""
    from everstep.handler import DurableHandler

    found = {value.name: name for name, value in members.items() if isinstance(value, DurableHandler)}
    if not found:
        raise UsageError("there is no durable handler in it: decorate one with @durable")
    return found


def _serve(file: Path, store: str, port: int) -> int:
    from everstep.cli.server import server

    sys.path.insert(0, str(root_of(file)))
    module = module_of(file)
    try:
        handlers = handlers_of(vars(import_module(module)))
    except UsageError as error:
        sys.stderr.write(f"{file}: {error}\n")
        return DOES_NOT_IMPORT
    except BaseException as error:  # SystemExit, too: it is the user's module that asks for it
        if isinstance(error, KeyboardInterrupt):
            raise
        sys.stderr.write(f"{file} does not import:\n{_own_lines(error)}")
        return DOES_NOT_IMPORT
    server(handlers=[f"{name}={module}:{variable}" for name, variable in handlers.items()], store=store, port=port, grace=GRACE_S)
    return 0


def _own_lines(error: BaseException) -> str:
    """The traceback, without the machinery of imports and ourselves."""
    told = traceback.TracebackException.from_exception(error)
    told.stack = traceback.StackSummary.from_list(
        [frame for frame in told.stack if not frame.filename.startswith("<frozen") and frame.filename not in (__file__, _IMPORTLIB)]
    )
    return "".join(told.format())


_IMPORTLIB: Final = import_module("importlib").__file__


if __name__ == "__main__":
    sys.exit(_serve(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
