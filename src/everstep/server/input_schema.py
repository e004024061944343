"""What a function's input is like, as JSON Schema, by the annotation that its event is read by.

Rule: whatever nobody can describe has no schema; that is no error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from everstep.serdes import parameter_annotation
from everstep.server.code import Code, InProcess, InProcessDurable


def input_schema(code: Code) -> Mapping[str, object] | None:
    """None if the code runs elsewhere, or its annotation says nothing."""
    match code:
        case InProcess(function=function):
            return schema_of(parameter_annotation(function, 0))
        case InProcessDurable(body=body):
            return schema_of(parameter_annotation(body, 0)) if callable(body) else None
        case _:
            return None


def schema_of(annotation: object) -> Mapping[str, object] | None:
    if annotation is object or annotation is Any:
        return None
    try:
        if describe := getattr(annotation, "model_json_schema", None):  # a pydantic model
            return cast("Mapping[str, object]", describe())
        return msgspec.json.schema(annotation, schema_hook=_of_others)
    except (TypeError, ValueError, NotImplementedError):  # what only its own serdes can read
        return None


def _of_others(kind: type) -> dict[str, Any]:
    """Of a type that is no JSON by itself."""
    return {"title": kind.__name__}
