"""The server that `everstep dev` starts, and starts again: every durable handler of one file.

    python -m everstep.cli.served_file FILE STORE PORT [--json]

Rule: code that does not import ends the process with DOES_NOT_IMPORT, and says why by the user's own lines alone. Standard input is a
pipe that ends with the parent, however that ends; then this process does.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from everstep.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

DOES_NOT_IMPORT: Final = 3
GRACE_S: Final = 1.0
PATIENCE_S: Final = 15.0
"""With a server that is to end, before it is killed."""


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


def _end_with_the_parent() -> None:
    # Not sys.stdin: a thread that is in its buffer when the interpreter ends is fatal.
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE_S)
    os._exit(1)


def _serve(file: Path, store: str, port: int, *, as_json: bool) -> int:
    from everstep.cli.server import server
    from everstep.cli.showing import prints_aside

    sys.path.insert(0, str(root_of(file)))
    module = module_of(file)
    try:
        with prints_aside() if as_json else nullcontext():
            handlers = handlers_of(vars(import_module(module)))
    except UsageError as error:
        sys.stderr.write(f"{file}: {error}\n")
        return DOES_NOT_IMPORT
    except BaseException as error:  # SystemExit, too: it is the user's module that asks for it
        if isinstance(error, KeyboardInterrupt):
            raise
        sys.stderr.write(f"{file} does not import:\n{_own_lines(error)}")
        return DOES_NOT_IMPORT
    targets = [f"{name}={module}:{variable}" for name, variable in handlers.items()]
    server(handlers=targets, store=store, port=port, grace=GRACE_S, log_format="brief", json=as_json)
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
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    sys.exit(_serve(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), as_json="--json" in sys.argv[4:]))
