"""Exceptions as they are recorded, and recorded errors as exceptions (ADR 0004).

Rule: what a caller catches is built from the record alone, on the first run as on every replay. It is of the operation's
error class and, where the original class is already imported, of that class too; no code of that class is run.
"""

from __future__ import annotations

import builtins
import os
import sys
import traceback
from abc import ABCMeta
from collections.abc import Iterator, Mapping
from itertools import islice
from types import BuiltinFunctionType, MemberDescriptorType
from typing import Final, TypeVar, cast

import msgspec

from everstep.errors import CallbackTimeout, OperationError, SerializationError
from everstep.protocol.shapes import ErrorObject

_MAX_MESSAGE = 16_384  # characters; the service takes 1 MiB per error in all, older ones 32 KiB
_MAX_DATA = 8_192
_MAX_LINES = 32
_MAX_LINE = 1_000
_OWN_FILES = f"{os.path.dirname(__file__)}{os.sep}"
_THREADS_FILE = os.path.join("concurrent", "futures", "thread.py")  # below the body of a step that runs in a thread
_OWN_MEMBERS: Final = ("message", "error_type", "data", "stack_trace")
_OF_SERVICE: Final[Mapping[str, type[OperationError]]] = {"Callback.Timeout": CallbackTimeout, "Callback.Heartbeat": CallbackTimeout}
"""Error types that the service itself writes, with the classes that users catch. Source: service specification, 3.6."""
_NEVER_COMBINED: Final = (StopIteration, StopAsyncIteration)  # raised in a coroutine they end a loop, or become a RuntimeError

E = TypeVar("E", bound=OperationError)


class _Rebuild(msgspec.Struct):
    """What brings an exception back besides its class. args: None if they are just the message, or JSON can't hold them."""

    args: list[object] | None
    state: dict[str, object] = {}


def describe(error: BaseException) -> ErrorObject:
    """The error as it is recorded. A failed operation inside is recorded as what it was recorded as before."""
    own = vars(error) if isinstance(error, OperationError) else {}
    recorded_type, data, lines = own.get("error_type"), own.get("data"), own.get("stack_trace")
    message = (own.get("message") or "") if recorded_type else _message(error)
    if data is None and not recorded_type:
        data = _data(error, message)
    return ErrorObject(
        error_message=_cut(_clean(message), _MAX_MESSAGE),
        error_type=recorded_type or type_name(type(error)),
        error_data=None if data is None else _clean(data),
        stack_trace=[_clean(line) for line in lines] if lines else _trace(error),
    )


def restore(recorded: ErrorObject | None, kind: type[E]) -> E:
    """The exception to raise for a recorded error: a `kind`, and an instance of the original class where possible."""
    recorded = recorded or ErrorObject()
    message, lines = recorded.error_message or "", tuple(recorded.stack_trace or ())
    original = _imported_class(recorded.error_type)
    error = _blank(kind if original is None else _class_for(kind, original))
    BaseException.__init__(error, *_plain_args(message))
    own = vars(error)  # set here, not as attributes: a class may have its own idea of what setting one does
    own.update(message=message, error_type=recorded.error_type, data=recorded.error_data, stack_trace=lines)
    if lines:
        own["__notes__"] = [line.rstrip("\n") for line in lines]
    if recorded.error_data and original in type(error).__mro__:
        _rebuild(error, recorded.error_data)
    return error


def type_name(kind: type) -> str:
    """The recorded name of an exception class: qualified by its module, built-ins bare."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


# -- classes -------------------------------------------------------------------


class _Quiet:
    """Keeps `__init_subclass__` of the original class from running when a class is combined with it."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        pass


_classes: dict[tuple[type, type], type[OperationError]] = {}


def _class_for(kind: type[E], original: type[Exception]) -> type[E]:
    """What to raise for an `original`: a class that is a `kind` too, or `kind` itself where the two don't combine."""
    known = _classes.get((kind, original))
    if known is None:
        known = _classes[kind, original] = _combined(kind, original)
    return cast("type[E]", known)


def _combined(kind: type[E], original: type[Exception]) -> type[E]:
    try:
        if issubclass(original, kind):
            _blank(original)
            return original
        if original in kind.__mro__ or issubclass(original, _NEVER_COMBINED):
            return kind
        if type(original) not in (type, ABCMeta):  # a metaclass of its own would run
            return kind
        namespace: dict[str, object] = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
        namespace |= {name: _member(name) for name in _OWN_MEMBERS if any(name in vars(base) for base in original.__mro__)}
        combined = cast("type[E]", type(kind.__name__, (_Quiet, kind, original), namespace))
        _blank(combined)
    except TypeError:  # layouts at odds, or a class that has no blank instances (ExceptionGroup)
        return kind
    return combined


def _member(name: str) -> property:
    """A member of an OperationError, found before a property of the same name that the original class has."""

    def recorded(error: OperationError) -> object:
        return vars(error)[name]

    return property(recorded)


def _blank(kind: type[E]) -> E:
    """An instance that no Python code of its class has seen. Raises TypeError if there is none."""
    base: type = kind
    while not isinstance(new := vars(base).get("__new__"), BuiltinFunctionType):
        base = base.__base__ or object  # the base whose layout the class has, so this finds the right one of several built-ins
    return cast("E", new(kind))


def _imported_class(name: str | None) -> type[Exception] | None:
    """The exception class of that recorded name, if its module is imported; nothing is imported for it."""
    if not name:
        return None
    if name in _OF_SERVICE:
        return _OF_SERVICE[name]
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


# -- args and attributes -------------------------------------------------------


def _rebuild(error: OperationError, data: str) -> None:
    try:
        rebuild = msgspec.json.decode(data, type=_Rebuild)
    except msgspec.MsgspecError:
        return
    if rebuild.args is not None:
        BaseException.__init__(error, *rebuild.args)
    own, slots = vars(error), dict(_slots(type(error)))
    for name, value in rebuild.state.items():
        slot = slots.get(name)
        if slot is not None:
            try:
                slot.__set__(error, value)
            except (TypeError, AttributeError):  # not of the slot's type, or read-only: somebody else wrote this record
                continue
        elif not name.startswith("__") and not hasattr(BaseException, name):
            own.setdefault(name, value)


def _data(error: BaseException, message: str) -> str | None:
    """JSON of those args and attributes that JSON gives back unchanged; None if they are no more than the message."""
    is_plain = error.args == _plain_args(message) or (isinstance(error, OperationError) and error.args == (message,))
    args = list(error.args) if not is_plain and _is_kept(list(error.args)) else None
    state = {name: value for name, value in _state(error) if _is_kept({name: value})}
    if args is None and not state:
        return None
    text = msgspec.json.encode(_Rebuild(args=args, state=state))
    return text.decode() if len(text) <= _MAX_DATA else None


def _plain_args(message: str) -> tuple[str, ...]:
    return (message,) if message else ()


def _state(error: BaseException) -> Iterator[tuple[str, object]]:
    """The exception's attributes: its `__dict__`, its `__slots__`, and what a built-in class keeps (an OSError's errno)."""
    hidden = _OWN_MEMBERS if isinstance(error, OperationError) else ()
    for name, value in vars(error).items():
        if name != "__notes__" and name not in hidden:
            yield name, value
    for name, slot in _slots(type(error)):
        try:
            value = slot.__get__(error)
        except AttributeError:  # not set
            continue
        if value is not None or slot.__objclass__.__module__ != "builtins":
            yield name, value


def _slots(kind: type) -> Iterator[tuple[str, MemberDescriptorType]]:
    for base in kind.__mro__:
        for name, slot in vars(base).items():
            if isinstance(slot, MemberDescriptorType) and not name.startswith("__"):
                yield name, slot


def _is_kept(value: object) -> bool:
    """Whether JSON gives the value back unchanged."""
    try:
        return bool(msgspec.json.decode(msgspec.json.encode(value)) == value)
    except Exception:  # whatever a value's own encoding or comparison raises
        return False


# -- texts ---------------------------------------------------------------------


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # a __str__ that raises must not hide the failure itself
        return f"<{type(error).__name__} whose message can't be read: {type(broken).__name__}>"


def _clean(text: str) -> str:
    """The text as UTF-8 can hold it: lone surrogates are spelled out."""
    return text.encode("utf-8", "backslashreplace").decode()


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _trace(error: BaseException) -> list[str] | None:
    """The frames of user code, outermost first, as Python prints them; an Everstep error about a value has none of its own."""
    if isinstance(error, SerializationError):
        return None
    return [_cut(_clean(line), _MAX_LINE) for line in islice(_trace_lines(error), _MAX_LINES)] or None


def _trace_lines(error: BaseException) -> Iterator[str]:
    """Of a group, the errors in it and their frames come after its own."""
    frames = traceback.extract_tb(error.__traceback__)
    kept = [frame for frame in frames if not frame.filename.startswith(_OWN_FILES) and not frame.filename.endswith(_THREADS_FILE)]
    for line in traceback.format_list(kept[-_MAX_LINES:]):
        yield line.rstrip("\n")
    if isinstance(error, BaseExceptionGroup):
        for member in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield f"{type_name(type(member))}: {_message(member)}"
            yield from _trace_lines(member)
