"""/openapi.json: the HTTP API described from what it is made of, its routes (routing.py), shapes and their constraints.

Rule: nothing is written twice. What clients of AWS already know from its model is not explained here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import Final, TypeAlias, cast

import msgspec

from everstep.server.answers import JSON
from everstep.server.described import CONSTRAINTS, LABELS, OPERATING, OPERATIONS, Body, Described
from everstep.server.routing import OPERATIONS as ROUTES
from everstep.server.shapes import Refusal

Json: TypeAlias = dict[str, object]

ABOUT: Final = (
    "The Lambda durable functions API, and what operators ask. Workers speak the Lambda Runtime API, which is not described here."
)
REFUSALS: Final = {"4XX": "The request was refused", "5XX": "The server could not do it; try again"}
SIGNATURE: Final[Json] = {
    "type": "apiKey",
    "in": "header",
    "name": "Authorization",
    "description": "AWS Signature Version 4, or the same as a presigned URL. Needed where the server has credentials.",
}
_REF: Final = "#/components/schemas/{name}"


@cache
def document() -> bytes:
    """The description, as JSON."""
    return msgspec.json.encode(description())


def description() -> Json:
    schemas = _Schemas()
    paths: dict[str, Json] = {}
    for (method, path), operation in ROUTES.items():
        paths.setdefault(path, {})[method.lower()] = _operation(operation, path, OPERATIONS[operation], schemas)
    for path, described in OPERATING.items():
        paths[path] = {"get": _operation(path.strip("/").partition(".")[0], path, described, schemas)}
    _constrain(schemas.components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Everstep", "version": version("everstep"), "description": ABOUT},
        "paths": paths,
        "components": {"schemas": schemas.components, "securitySchemes": {"signature": SIGNATURE}},
        "security": [{"signature": []}, {}],
    }


class _Schemas:
    """components: those of the shapes that were asked for."""

    def __init__(self) -> None:
        self.components: dict[str, Json] = {}

    def of(self, kind: object) -> Json:
        (schema,), components = msgspec.json.schema_components([kind], schema_hook=_any, ref_template=_REF)
        self.components.update(components)
        return schema


def _any(kind: type) -> Json:
    """What is not looked into. (An empty schema would count as none.)"""
    if kind is not object:
        raise NotImplementedError(f"{kind} has no schema")
    return {"description": "Any JSON"}


def _constrain(components: Mapping[str, Json]) -> None:
    for shape, members in CONSTRAINTS.items():
        properties = cast("Mapping[str, Json]", components[shape]["properties"])
        for member, constraint in members.items():
            schema = properties[member]
            choices = cast("Sequence[Json]", schema.get("anyOf", (schema,)))  # of what may also be null, its own type is the first
            choices[0].update(constraint)


def _operation(name: str, path: str, described: Described, schemas: _Schemas) -> Json:
    parameters = [_parameter(label, "path", LABELS[label], schemas, is_required=True) for label in re.findall(r"\{(\w+)\}", path)]
    parameters += [_parameter(one.name, one.place, one.type, schemas, is_required=one.is_required) for one in described.parameters]
    operation: Json = {"operationId": name, "summary": described.summary, "parameters": parameters}
    if described.body is not None:
        operation["requestBody"] = _body(described.body, schemas)
    headers: Json = {header: {"schema": {"type": "string"}} for header in described.headers}
    answers = {
        str(status): _answer(body, described.media if status < 300 else JSON, headers, schemas)
        for status, body in described.answers.items()
    }
    refusals = {} if path in OPERATING else {status: _answer(Refusal, JSON, {}, schemas, text) for status, text in REFUSALS.items()}
    operation["responses"] = answers | refusals
    if path in OPERATING:
        operation["security"] = []
    return operation


def _parameter(name: str, place: str, kind: object, schemas: _Schemas, *, is_required: bool) -> Json:
    return {"name": name, "in": place, "required": is_required, "schema": schemas.of(kind)}


def _body(body: Body, schemas: _Schemas) -> Json:
    schema = schemas.of(body.type)
    if body.required:
        schema = {"allOf": [schema, {"required": list(body.required)}]}
    return {"required": bool(body.required), "content": {body.media: {"schema": schema}}}


def _answer(body: object, media: str, headers: Json, schemas: _Schemas, text: str = "Done") -> Json:
    answer: Json = {"description": text}
    if headers:
        answer["headers"] = headers
    if body is not None:
        answer["content"] = {media: {"schema": schemas.of(body)}}
    return answer
