"""A value that a JSON Schema would take, to begin with in an editor.

Rule: pure, and of any schema that there is: what is not understood becomes null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

Json = Mapping[str, object]

_DEPTH: Final = 12
"""Of schemas within schemas, which may go in circles."""
_SIMPLE: Final[Json] = {"string": "", "integer": 0, "number": 0, "boolean": False, "null": None}


def example(schema: Json) -> object:
    return _example(schema, _named(schema, "$defs"), _DEPTH)


def _example(schema: object, definitions: Json, depth: int) -> object:
    if not isinstance(schema, Mapping) or depth == 0:
        return None
    schema = cast("Json", schema)
    for key in ("default", "const"):
        if key in schema:
            return schema[key]
    for key in ("examples", "enum"):
        if chosen := _listed(schema, key):
            return chosen[0]
    if isinstance(reference := schema.get("$ref"), str):
        return _example(definitions.get(reference.rpartition("/")[2]), definitions, depth - 1)
    for key in ("anyOf", "oneOf", "allOf"):
        if choices := _listed(schema, key):
            made = (_example(one, definitions, depth - 1) for one in choices)
            return next((one for one in made if one is not None), None)
    match schema.get("type"):
        case "object":
            return {name: _example(one, definitions, depth - 1) for name, one in _named(schema, "properties").items()}
        case "array":
            return [_example(schema["items"], definitions, depth - 1)] if isinstance(schema.get("items"), Mapping) else []
        case str() as simple:
            return _SIMPLE.get(simple)
        case _:
            return None


def _named(schema: Json, key: str) -> Json:
    value = schema.get(key)
    return cast("Json", value) if isinstance(value, Mapping) else {}


def _listed(schema: Json, key: str) -> Sequence[object]:
    value = schema.get(key)
    return cast("list[object]", value) if isinstance(value, list) else []
