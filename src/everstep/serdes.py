"""How values become the JSON text that is recorded, and come back as what they were.

Rule: the text is plain JSON, and types come from annotations: a function's return annotation says what its recorded
result is read as. Without an annotation a value comes back as JSON's own types. First runs return the value that was
written and read again, so they return what every replay returns.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Awaitable, Callable, Coroutine
from types import CodeType
from typing import Generic, Protocol, TypeVar, cast, get_type_hints

import msgspec

from everstep.errors import SerializationError

T = TypeVar("T")

_AWAITABLES = (Awaitable, Coroutine)


class Serdes(Protocol[T]):
    """Writes a value as text and reads it back. Raise SerializationError for what cannot be."""

    def serialize(self, value: T) -> str: ...

    def deserialize(self, text: str) -> T: ...


class _Validates(Protocol):
    """The part of a pydantic model class that is used here; pydantic itself is never imported."""

    def model_validate(self, data: object) -> object: ...


def _to_jsonable(value: object) -> object:
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    raise TypeError(f"{type(value).__module__}.{type(value).__qualname__}")


def _from_jsonable(kind: type, data: object) -> object:
    if hasattr(kind, "model_validate"):
        return cast("_Validates", kind).model_validate(data)
    raise TypeError(f"{kind.__module__}.{kind.__qualname__}")


_encoder = msgspec.json.Encoder(enc_hook=_to_jsonable)


class JsonSerdes(Generic[T]):
    """Plain JSON, read as `annotation`.

    Writes what msgspec writes (dataclasses, attrs, TypedDict, NamedTuple, enums, datetime, Decimal, UUID, bytes, sets, …)
    and pydantic models. annotation: a type to read as; `object` or `typing.Any` reads JSON's own types.
    """

    __slots__ = ("_decode", "annotation")

    def __init__(self, annotation: object = object) -> None:
        self.annotation = annotation
        if annotation is object or annotation is typing.Any or isinstance(annotation, TypeVar):
            self._decode: Callable[[str], object] = _plain_decode
        else:
            self._decode = self._first_decode

    def serialize(self, value: T) -> str:
        """The value as JSON text. Raises SerializationError."""
        try:
            return _encoder.encode(value).decode()
        except (TypeError, ValueError, RecursionError, UnicodeEncodeError, OverflowError) as error:
            raise SerializationError(
                f"a value of type {type(value).__qualname__} can't be written as JSON: {error}. "
                "Return plain data, a dataclass, a pydantic or msgspec model, or give the operation a `serdes`."
            ) from error
        except Exception as error:
            raise SerializationError(f"a value of type {type(value).__qualname__} can't be written as JSON: {error}") from error

    def deserialize(self, text: str) -> T:
        """The value that `serialize` wrote. Raises SerializationError if the text is not of the annotated type."""
        try:
            return cast("T", self._decode(text))
        except Exception as error:
            raise SerializationError(f"recorded text can't be read as {_name_of(self.annotation)}: {error}") from error

    def _first_decode(self, text: str) -> object:
        decoder = msgspec.json.Decoder(cast("type[object]", self.annotation), dec_hook=_from_jsonable)
        self._decode = decoder.decode
        return decoder.decode(text)


_plain_decode = msgspec.json.Decoder().decode
PLAIN: JsonSerdes[object] = JsonSerdes()

_by_annotation: dict[object, JsonSerdes[object]] = {}
_by_code: dict[CodeType, JsonSerdes[object]] = {}


def serdes_for(annotation: object) -> JsonSerdes[object]:
    """The serdes that reads `annotation`, made once."""
    try:
        known = _by_annotation.get(annotation)
    except TypeError:  # an unhashable annotation, such as Annotated with a list
        return JsonSerdes(annotation)
    if known is None:
        known = _by_annotation[annotation] = JsonSerdes(annotation)
    return known


def result_serdes(function: Callable[..., object]) -> JsonSerdes[object]:
    """The serdes of what `function` returns (or its awaitable gives), by its return annotation; PLAIN if it has none."""
    code = getattr(function, "__code__", None) or getattr(getattr(function, "__func__", None), "__code__", None)
    if code is None:
        return _resolve_result(function)
    known = _by_code.get(code)
    if known is None:
        known = _by_code[code] = _resolve_result(function)
    return known


def parameter_annotation(function: Callable[..., object], index: int) -> object:
    """The annotation of the positional parameter at `index`, resolved; `object` if there is none."""
    names = [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    return _hints(function).get(names[index], object) if index < len(names) else object


def _resolve_result(function: Callable[..., object]) -> JsonSerdes[object]:
    inner = inspect.unwrap(getattr(function, "func", function))  # of a functools.partial
    if not inspect.isroutine(inner):
        inner = type(inner).__call__
    annotation = _hints(inner).get("return", object)
    if typing.get_origin(annotation) in _AWAITABLES:
        annotation = typing.get_args(annotation)[-1]
    return serdes_for(annotation)


def _hints(function: Callable[..., object]) -> dict[str, object]:
    """The function's type hints. Names that can't be resolved where the function is defined leave it without hints."""
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError):
        return {}


def _name_of(annotation: object) -> str:
    return getattr(annotation, "__qualname__", None) or str(annotation)
