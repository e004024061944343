"""I/O that blocks in handler code is refused where it is called, as far as the interpreter tells of it.

Rule: only handler code is held to it. Steps run on the ordinary event loop or in threads; and what logging, serdes and stages
do on behalf of a handler is theirs. Sockets, processes and (from Python 3.13) sleeping are told of; files are not looked at,
for every import opens some. Source: the table of audit events in Python's documentation.
"""

from __future__ import annotations

import inspect
import sys
from functools import cache
from types import FrameType
from typing import Final

from everstep.errors import UsageError
from everstep.runtime.callers import calling_line
from everstep.runtime.loop import DurableLoop, running_loop

_REFUSED: Final = frozenset({"os.system", "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "time.sleep"})
_EXEMPT_MODULES: Final = ("everstep.stages", "importlib", "logging")
_EXEMPT_FUNCTIONS: Final = frozenset({"deserialize", "serialize"})


@cache
def watch() -> None:
    """From now on, in this process."""
    sys.addaudithook(_heard)


def _heard(event: str, _: tuple[object, ...]) -> None:
    if event in _REFUSED and isinstance(running_loop(), DurableLoop) and not _is_exempt(inspect.currentframe()):
        remedy = "`await ctx.wait(...)` or asyncio.sleep" if event == "time.sleep" else "put it in a step: `await ctx.step(...)`"
        raise UsageError(
            f"handler code at {calling_line()} does I/O that blocks ({event}). A handler is replayed, and shares its thread with "
            f"others: {remedy}."
        )


def _is_exempt(frame: FrameType | None) -> bool:
    while frame is not None:
        module: object = frame.f_globals.get("__name__")
        if frame.f_code.co_name in _EXEMPT_FUNCTIONS or (isinstance(module, str) and module.startswith(_EXEMPT_MODULES)):
            return True
        frame = frame.f_back
    return False
