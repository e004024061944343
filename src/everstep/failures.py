"""Exceptions as they are recorded, and recorded errors as exceptions (ADR 0004).

Rule: what a caller catches is built from the record alone, on the first run as on every replay. It is of the operation's
error class and, where the original class is already imported, of that class too; no code of that class is run.
"""

from __future__ import annotations

import builtins
import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar, cast

import msgspec

from everstep.errors import OperationError, SerializationError
from everstep.protocol.shapes import ErrorObject

_MAX_MESSAGE = 16_384  # characters; the service takes 1 MiB per error in all, older ones 32 KiB
_MAX_DATA = 8_192
_MAX_FRAMES = 32
_OWN_FILES = f"{Path(__file__).parent}{os.sep}"

E = TypeVar("E", bound=OperationError)


class _Rebuild(msgspec.Struct):
    """What brings an exception back besides its class: its args and attributes, if JSON keeps them unchanged."""

    args: list[object]
    state: dict[str, object] = {}


def describe(error: BaseException) -> ErrorObject:
    """The error as it is recorded. A failed operation inside is recorded as what it was recorded as before."""
    if isinstance(error, OperationError):
        return ErrorObject(
            error_message=error.message,
            error_type=error.error_type or type_name(type(error)),
            error_data=error.data,
            stack_trace=list(error.stack_trace) or _trace(error),
        )
    message = _message(error)
    return ErrorObject(
        error_message=message,
        error_type=type_name(type(error)),
        error_data=_data(error, message),
        stack_trace=_trace(error),
    )


def restore(recorded: ErrorObject | None, kind: type[E]) -> E:
    """The exception to raise for a recorded error: a `kind`, and an instance of the original class where possible."""
    recorded = recorded or ErrorObject()
    original = _imported_class(recorded.error_type)
    target: type[E] = kind
    if original is not None and not issubclass(kind, original):
        if issubclass(original, kind):
            target = original
        elif not issubclass(original, OperationError):
            target = _both(kind, original)
    error = target.__new__(target)
    OperationError.__init__(error, recorded.error_message, recorded.error_type, recorded.error_data, recorded.stack_trace)
    if target is not kind and recorded.error_data:
        _rebuild(error, recorded.error_data)
    for line in recorded.stack_trace or ():
        error.add_note(line.rstrip("\n"))
    return error


def type_name(kind: type) -> str:
    """The recorded name of an exception class: qualified by its module, built-ins bare."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


_combined: dict[tuple[type, type], type[OperationError]] = {}


def _both(kind: type[E], original: type[Exception]) -> type[E]:
    """A class that is a `kind` and an `original`; `kind` itself where the two don't combine."""
    known = _combined.get((kind, original))
    if known is None:
        try:
            known = type(kind.__name__, (kind, original), {"__module__": kind.__module__, "__qualname__": kind.__qualname__})
        except TypeError:  # layouts or metaclasses at odds
            known = kind
        _combined[kind, original] = known
    return cast("type[E]", known)


def _imported_class(name: str | None) -> type[Exception] | None:
    """The exception class of that recorded name, if its module is imported; nothing is imported for it."""
    if not name:
        return None
    parts = name.split(".")
    for split in range(len(parts) - 1, -1, -1):
        module = sys.modules.get(".".join(parts[:split])) if split else builtins
        if module is None:
            continue
        found: object = module
        for part in parts[split:]:
            found = vars(found).get(part) if hasattr(found, "__dict__") else None
        if isinstance(found, type) and issubclass(found, Exception):
            return found
        return None
    return None


def _rebuild(error: OperationError, data: str) -> None:
    try:
        rebuild = msgspec.json.decode(data, type=_Rebuild)
    except msgspec.MsgspecError:
        return
    error.args = tuple(rebuild.args)
    own = vars(error)
    for name, value in rebuild.state.items():
        own.setdefault(name, value)


def _data(error: BaseException, message: str) -> str | None:
    """JSON of the exception's args and attributes, if it is more than the message and JSON gives it back unchanged."""
    state = {name: value for name, value in vars(error).items() if name != "__notes__"}
    if not state and error.args in ((message,), ()):
        return None
    rebuild = _Rebuild(args=list(error.args), state=state)
    try:
        text = msgspec.json.encode(rebuild)
        unchanged = msgspec.json.decode(text, type=_Rebuild) == rebuild
    except Exception:  # whatever a value's own encoding raises: the error is then recorded without it
        return None
    return text.decode() if unchanged and len(text) <= _MAX_DATA else None


def _message(error: BaseException) -> str:
    try:
        message = str(error)
    except Exception as broken:  # a __str__ that raises must not hide the failure itself
        message = f"<{type(error).__name__} whose message can't be read: {type(broken).__name__}>"
    message = message.encode("utf-8", "backslashreplace").decode()
    return message if len(message) <= _MAX_MESSAGE else message[: _MAX_MESSAGE - 1] + "…"


def _trace(error: BaseException) -> list[str] | None:
    """The frames of user code, outermost first, as Python prints them; an Everstep error about a value has none of its own."""
    if isinstance(error, SerializationError):
        return None
    frames = traceback.extract_tb(error.__traceback__)
    kept = [frame for frame in frames if not frame.filename.startswith(_OWN_FILES)][-_MAX_FRAMES:]
    return [line.rstrip("\n") for line in traceback.format_list(kept)] or None


def as_mapping(error: ErrorObject) -> Mapping[str, object]:
    """The error as Lambda reports a function's error: errorMessage, errorType, errorData, stackTrace."""
    names = {"errorMessage": error.error_message, "errorType": error.error_type, "errorData": error.error_data}
    present: dict[str, object] = {name: value for name, value in names.items() if value is not None}
    if error.stack_trace is not None:
        present["stackTrace"] = list(error.stack_trace)
    return present
