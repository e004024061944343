"""Which line of the user's code is running: errors name it."""

from __future__ import annotations

import asyncio
import inspect
import os

_OWN_FILES = f"{os.path.dirname(os.path.dirname(__file__))}{os.sep}"
_STANDARD_LIBRARY = f"{os.path.dirname(os.path.dirname(asyncio.__file__))}{os.sep}"
_INSTALLED = f"{os.sep}site-packages{os.sep}"


def calling_line() -> str | None:
    """The "file:line" of the innermost frame of user code on the stack; of a library only if everything is installed."""
    frame = inspect.currentframe()
    innermost: str | None = None
    while frame is not None:
        filename = frame.f_code.co_filename
        if not filename.startswith((_OWN_FILES, "<")):
            is_library = filename.startswith(_STANDARD_LIBRARY) or _INSTALLED in filename
            if not is_library:
                return f"{filename}:{frame.f_lineno}"
            if innermost is None and _INSTALLED in filename:
                innermost = f"{filename}:{frame.f_lineno}"
        frame = frame.f_back
    return innermost
