"""How values become the JSON text that is recorded, and come back as what they were.

Rule: the text is plain JSON, and types come from annotations: a function's return annotation says what its recorded
result is read as. Without an annotation a value comes back as JSON's own types. First runs return the value that was
written and read again, so they return what every replay returns.
"""

from __future__ import annotations

import builtins
import functools
import inspect
import math
import re
import sys
import typing
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import CodeType, FunctionType, NoneType, SimpleNamespace
from typing import Final, Generic, Protocol, TypeVar, cast, get_type_hints

import msgspec

from everstep.errors import SerializationError

T = TypeVar("T")


class Serdes(Protocol[T]):
    """Writes a value as text and reads it back. Raise SerializationError for what cannot be."""

    def serialize(self, value: T) -> str: ...

    def deserialize(self, text: str) -> T: ...


# -- what msgspec does not know -------------------------------------------------

_ONLY_AS_KEYS: Final = (bool, NoneType, tuple, frozenset, dict)
"""Types that have a JSON form as values: the hook sees them only where they are keys."""


class _Validate(Protocol):
    """pydantic's `model_validate_json` and `TypeAdapter.validate_json`; pydantic itself is never imported."""

    def __call__(self, data: bytes, *, by_alias: bool = ..., by_name: bool = ...) -> object: ...


def _to_jsonable(value: object) -> object:
    if isinstance(value, str):  # of a subclass, as below: msgspec knows the types themselves
        return str.__str__(value)
    if isinstance(value, float):
        return float.__float__(value)
    kind = type(value)
    if isinstance(value, int) and kind is not bool:
        return int.__int__(value)
    dump = getattr(kind, "model_dump", None)
    if dump is not None:
        return dump(value, mode="json")
    name = f"{kind.__module__}.{kind.__qualname__}"
    raise TypeError(f"an object's key can't be a {name}" if kind in _ONLY_AS_KEYS else f"there is no JSON for a {name}")


def _from_jsonable(kind: type, data: object) -> object:
    if kind is object:  # inside another type, as in dict[str, object]: whatever JSON says
        return data
    validate = getattr(kind, "model_validate_json", None)
    if validate is not None:  # JSON again, for in Python's own types a strict model takes no text for a date
        return _validated(validate, msgspec.json.encode(data))
    if (isinstance(data, str) and issubclass(kind, str)) or (isinstance(data, int | float) and issubclass(kind, int | float)):
        return cast("Callable[[object], object]", kind)(data)
    raise TypeError(f"there is no {kind.__module__}.{kind.__qualname__} in JSON")


def _validated(validate: _Validate, data: bytes) -> object:
    """What the JSON says. Fields may have their names or their aliases: models are written with whichever they are configured to."""
    try:
        return validate(data, by_alias=True, by_name=True)
    except TypeError:  # pydantic before 2.11: names only if the model says so
        return validate(data)


def _decoder(annotation: object) -> Callable[[str], object]:
    """Reads JSON text as the annotation. Raises TypeError if nobody knows how to."""
    try:
        return msgspec.json.Decoder(cast("type[object]", annotation), dec_hook=_from_jsonable).decode
    except TypeError:  # a union of models, for one
        pydantic = sys.modules.get("pydantic")
        if pydantic is None or not _has_model(annotation):
            raise
        validate = cast("_Validate", pydantic.TypeAdapter(annotation).validate_json)
        return lambda text: _validated(validate, text.encode())


def _has_model(annotation: object) -> bool:
    return hasattr(annotation, "model_validate_json") or any(map(_has_model, typing.get_args(annotation)))


# -- numbers that JSON doesn't have --------------------------------------------

_pack: Final = msgspec.msgpack.Encoder(enc_hook=_to_jsonable).encode
_NOT_FINITE_PACKED: Final = re.compile(rb"\xcb[\x7f\xff][\xf0-\xff]")  # MessagePack's mark of a float, then an exponent of all ones


def _has_no_json(value: object) -> bool:
    """Whether NaN or an infinity is in the value. msgspec writes them as null, so only a text with a null is asked about.

    MessagePack has such numbers: searching the packed value costs a tenth of looking at every part of it, which is
    done when the search found something (bytes or an integer may look like it).
    """
    try:
        if _NOT_FINITE_PACKED.search(_pack(value)) is None:
            return False
    except Exception:  # what only JSON can hold, such as an integer beyond 64 bits
        pass
    try:
        parts = [msgspec.to_builtins(value, str_keys=True, enc_hook=_to_jsonable)]
    except Exception:  # a msgspec.Raw: JSON already
        return False
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            parts.extend(cast("dict[str, object]", part).values())
        elif isinstance(part, list | tuple):
            parts.extend(cast("list[object]", part))
        elif isinstance(part, float) and not math.isfinite(part):
            return True
    return False


# -- JSON ----------------------------------------------------------------------

_encode: Final = msgspec.json.Encoder(enc_hook=_to_jsonable).encode
_plain_decode: Final = msgspec.json.Decoder().decode


class JsonSerdes(Generic[T]):
    """Plain JSON, read as `annotation`.

    Writes what msgspec writes (dataclasses, attrs, TypedDict, NamedTuple, enums, datetime, Decimal, UUID, bytes, sets, …)
    and pydantic models. annotation: a type to read as; `object` or `typing.Any` reads JSON's own types.
    """

    __slots__ = ("_decode", "annotation")

    def __init__(self, annotation: object = object) -> None:
        self.annotation = annotation
        if annotation is object or annotation is typing.Any or isinstance(annotation, TypeVar):
            self._decode = cast("Callable[[str], T]", _plain_decode)
        else:
            self._decode = self._first_decode

    def serialize(self, value: T) -> str:
        """The value as JSON text. Raises SerializationError."""
        try:
            text = _encode(value).decode()
        except (TypeError, ValueError, RecursionError, UnicodeEncodeError, OverflowError) as error:
            raise SerializationError(
                f"a value of type {type(value).__qualname__} can't be written as JSON: {error}. "
                "Return plain data, a dataclass, a pydantic or msgspec model, or give the operation a `serdes`."
            ) from error
        except Exception as error:
            raise SerializationError(f"a value of type {type(value).__qualname__} can't be written as JSON: {error}") from error
        if "null" in text and _has_no_json(value):
            raise SerializationError(
                f"a value of type {type(value).__qualname__} can't be written as JSON: it holds NaN or an infinity. "
                "Return None or text instead, or give the operation a `serdes`."
            )
        return text

    def deserialize(self, text: str) -> T:
        """The value that `serialize` wrote. Raises SerializationError if the text is not of the annotated type."""
        try:
            return self._decode(text)
        except Exception as error:
            raise SerializationError(f"recorded text can't be read as {_name_of(self.annotation)}: {error}") from error

    def _first_decode(self, text: str) -> T:
        self._decode = cast("Callable[[str], T]", _decoder(self.annotation))
        return self._decode(text)


PLAIN: JsonSerdes[object] = JsonSerdes()

_by_annotation: dict[object, JsonSerdes[object]] = {object: PLAIN, typing.Any: PLAIN}


def serdes_for(annotation: object) -> JsonSerdes[object]:
    """The serdes that reads `annotation`, made once."""
    try:
        known = _by_annotation.get(annotation)
    except TypeError:  # an unhashable annotation, such as Annotated with a list
        return JsonSerdes(annotation)
    if known is None:
        known = _by_annotation[annotation] = JsonSerdes(annotation)
    return known


# -- what functions return -----------------------------------------------------

_NAMES: Final = re.compile(r"[^\W\d]\w*")

# By the id of the code, which is kept so that its id stays its own: equal codes of two modules may mean different types.
_by_code: dict[int, tuple[CodeType, JsonSerdes[object]]] = {}
# The same for functions inside functions, whose annotation may be another each time the outer one runs.
_by_code_and_annotation: dict[tuple[int, object], tuple[CodeType, JsonSerdes[object]]] = {}


def result_serdes(function: Callable[..., object]) -> JsonSerdes[object]:
    """The serdes of what `function` returns (or its awaitable gives), by its return annotation; PLAIN if it has none.

    A class gives its instances, a partial what its function gives, and a wrapper (of functools.wraps) what it wraps gives.
    """
    code = getattr(function, "__code__", None)
    known = _by_code.get(id(code))
    return known[1] if known is not None else _look_up(function, code)


def parameter_annotation(function: Callable[..., object], index: int) -> object:
    """The annotation of the positional parameter at `index`, resolved; `object` if there is none."""
    inner = inspect.unwrap(function)
    if inner is function and isinstance(function, FunctionType):  # as inspect.signature says it, at a tenth of the cost
        names = list(function.__code__.co_varnames[: function.__code__.co_argcount])
    else:
        names = [
            name
            for name, parameter in inspect.signature(function).parameters.items()
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        ]
    return _resolved(inner, _annotations(inner).get(names[index], object))[0] if index < len(names) else object


def _look_up(function: Callable[..., object], code: CodeType | None) -> JsonSerdes[object]:
    if code is None:
        return _of_callable(function)
    wrapped = getattr(function, "__wrapped__", None)
    if wrapped is not None:
        return result_serdes(wrapped)
    annotation = _annotations(function).get("return", object)
    if not code.co_flags & inspect.CO_NESTED or isinstance(annotation, str):
        serdes, is_the_codes = _of_annotation(function, annotation)
        if is_the_codes:
            _by_code[id(code)] = code, serdes
        return serdes
    try:
        known = _by_code_and_annotation.get((id(code), annotation))
    except TypeError:  # an unhashable annotation
        return _of_annotation(function, annotation)[0]
    if known is None:
        known = _by_code_and_annotation[id(code), annotation] = code, _of_annotation(function, annotation)[0]
    return known[1]


def _of_callable(function: Callable[..., object]) -> JsonSerdes[object]:
    """Of something that is called like a function and isn't one."""
    if isinstance(function, functools.partial):
        return result_serdes(cast("functools.partial[object]", function).func)
    if isinstance(function, type):
        return serdes_for(function)
    wrapped = getattr(function, "__dict__", {}).get("__wrapped__")  # of functools.cache, for one
    if wrapped is not None:
        return result_serdes(wrapped)
    call = type(function).__call__
    return result_serdes(call) if hasattr(call, "__code__") else PLAIN


def _of_annotation(function: Callable[..., object], annotation: object) -> tuple[JsonSerdes[object], bool]:
    """The serdes, and whether every function with this code has it."""
    resolved, is_the_codes = _resolved(function, annotation)
    if hasattr(typing.get_origin(resolved) or resolved, "__await__"):
        resolved = (object, *typing.get_args(resolved))[-1]
    owner = getattr(function, "__self__", None)
    if resolved is getattr(typing, "Self", None) and owner is not None:
        return serdes_for(owner if isinstance(owner, type) else type(owner)), False
    return serdes_for(resolved), is_the_codes


def _resolved(function: Callable[..., object], annotation: object) -> tuple[object, bool]:
    """The annotation without names in strings, and whether it is so for every function with the same code.

    Each annotation is resolved by itself: another one of the function may name what is only imported for type checkers.
    `object` if it can't be resolved where the function is defined.
    """
    known = {parameter.__name__: parameter for parameter in getattr(function, "__type_params__", ())}
    is_the_codes = True
    cells = getattr(function, "__closure__", None)
    if cells is not None and isinstance(annotation, str):
        outer = dict(zip(function.__code__.co_freevars, cells, strict=True))
        for name in _NAMES.findall(annotation):
            if name in outer:
                is_the_codes = False
                with suppress(ValueError):  # not assigned yet
                    known[name] = outer[name].cell_contents
    plain = _named(annotation, known, getattr(function, "__globals__", {}))
    if plain is not None:
        return plain, is_the_codes
    holder = SimpleNamespace(__annotations__={"it": annotation})
    try:
        return get_type_hints(holder, getattr(function, "__globals__", {}), known, include_extras=True)["it"], is_the_codes
    except (NameError, TypeError, AttributeError, SyntaxError):
        return object, is_the_codes


def _named(annotation: object, known: Mapping[str, object], module: Mapping[str, object]) -> type | None:
    """The class that an annotation is or names, without compiling the name; None for anything else."""
    found = annotation
    if isinstance(annotation, str):
        found = known.get(annotation) or module.get(annotation) or getattr(builtins, annotation, None)
    return found if type(found) is type else None


if sys.version_info >= (3, 14):

    def _annotations(function: Callable[..., object]) -> Mapping[str, object]:
        from annotationlib import Format, get_annotations

        return get_annotations(function, format=Format.FORWARDREF)

else:

    def _annotations(function: Callable[..., object]) -> Mapping[str, object]:
        return getattr(function, "__annotations__", {})


def _name_of(annotation: object) -> str:
    return getattr(annotation, "__qualname__", None) or str(annotation)
