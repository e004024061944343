"""Aliases and tags of functions, and the settings beside them that tools ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from msgspec import UNSET
from msgspec.structs import replace

from everstep.server.answers import NO_CONTENT, Answer, ok
from everstep.server.backend import Backend
from everstep.server.catalog import Alias, Catalog, Function
from everstep.server.errors import ApiError, invalid, not_found
from everstep.server.references import ALIAS_NAME, LATEST, requested
from everstep.server.requests import Call, read_object, without_nulls
from everstep.server.routes.functions import paged
from everstep.server.shapes import AliasConfiguration, AliasSettings, Routing, Tags
from everstep.service.ids import random_id
from everstep.service.machine.validation import Violations

CONCURRENCY: Final = 1_000


async def create(backend: Backend, call: Call) -> Answer:
    function, given = _function(backend, call.labels["FunctionName"]), call.members(AliasSettings)
    violations = Violations()
    for member, value in (("name", given.name), ("functionVersion", given.function_version)):
        if value is None:
            violations.required(member)
    violations.reject()
    assert given.name is not None
    assert given.function_version is not None
    if not ALIAS_NAME.fullmatch(given.name):
        raise invalid(f"{given.name!r} cannot name an alias: letters, digits, - and _, and not digits alone.")
    if given.name in function.aliases:
        raise ApiError("ResourceConflictException", f"Alias already exists: {_arn(backend.catalog, function, given.name)}")
    alias = Alias(
        name=given.name,
        version=_known(backend.catalog, function, given.function_version),
        description=given.description or "",
        routing=_weights(backend.catalog, function, given),
    )
    function.aliases[alias.name] = alias
    return ok(_shown(backend.catalog, function, alias), status=201)


async def get(backend: Backend, call: Call) -> Answer:
    function, alias = _alias(backend, call)
    return ok(_shown(backend.catalog, function, alias))


async def update(backend: Backend, call: Call) -> Answer:
    function, alias = _alias(backend, call)
    given = call.members(AliasSettings)
    if given.revision_id is not None and given.revision_id != alias.revision_id:
        raise ApiError("PreconditionFailedException", "The RevisionId provided does not match the alias's latest RevisionId.")
    alias = replace(
        alias,
        version=alias.version if given.function_version is None else _known(backend.catalog, function, given.function_version),
        description=alias.description if given.description is None else given.description,
        routing=alias.routing if given.routing_config is None else _weights(backend.catalog, function, given),
        revision_id=random_id(),
    )
    function.aliases[alias.name] = alias
    return ok(_shown(backend.catalog, function, alias))


async def delete(backend: Backend, call: Call) -> Answer:
    _function(backend, call.labels["FunctionName"]).aliases.pop(call.labels["Name"], None)
    return NO_CONTENT


async def list_all(backend: Backend, call: Call) -> Answer:
    function, version = _function(backend, call.labels["FunctionName"]), call.text("FunctionVersion")
    aliases = [alias for alias in function.aliases.values() if version is None or alias.version == version]
    return paged(backend, call, "Aliases", [_shown(backend.catalog, function, alias) for alias in aliases])


def _known(catalog: Catalog, function: Function, version: str) -> str:
    if version not in function.versions:
        raise not_found(f"Function not found: {catalog.arn(function.name, version)}")
    return version


def _weights(catalog: Catalog, function: Function, given: AliasSettings) -> Mapping[str, float]:
    if given.routing_config is None:
        return {}
    weights = given.routing_config.additional_version_weights
    for version, weight in weights.items():
        _known(catalog, function, version)
        if not 0 <= weight <= 1:
            raise invalid(f"The weight of version {version} is {weight}; it must lie between 0 and 1.")
    return weights


def _shown(catalog: Catalog, function: Function, alias: Alias) -> AliasConfiguration:
    return AliasConfiguration(
        alias_arn=_arn(catalog, function, alias.name),
        name=alias.name,
        function_version=alias.version,
        description=alias.description,
        revision_id=alias.revision_id,
        routing_config=Routing(additional_version_weights=alias.routing) if alias.routing else UNSET,
    )


def _arn(catalog: Catalog, function: Function, alias: str) -> str:
    return catalog.arn(function.name, alias)


def _alias(backend: Backend, call: Call) -> tuple[Function, Alias]:
    function = _function(backend, call.labels["FunctionName"])
    alias = function.aliases.get(call.labels["Name"])
    if alias is None:
        raise not_found(f"Cannot find alias arn: {_arn(backend.catalog, function, call.labels['Name'])}")
    return function, alias


def _function(backend: Backend, text: str) -> Function:
    reference = requested(text)
    found = backend.catalog.find(reference)
    if found is None:
        raise not_found(f"Function not found: {backend.catalog.arn(reference.name, reference.qualifier)}")
    return found[0]


# -- tags


async def list_tags(backend: Backend, call: Call) -> Answer:
    return ok(Tags(tags=_function(backend, call.labels["Resource"]).tags))


async def tag(backend: Backend, call: Call) -> Answer:
    function, given = _function(backend, call.labels["Resource"]), call.members(Tags)
    violations = Violations()
    if given.tags is None:
        violations.required("tags")
    violations.reject()
    function.tags.update(given.tags or {})
    return NO_CONTENT


async def untag(backend: Backend, call: Call) -> Answer:
    function = _function(backend, call.labels["Resource"])
    for key in call.query.get("tagKeys", ()):
        function.tags.pop(key, None)
    return NO_CONTENT


# -- settings beside


async def get_event_invoke(backend: Backend, call: Call) -> Answer:
    function = _function(backend, call.labels["FunctionName"])
    if not function.event_invoke:
        raise not_found(f"The function {backend.catalog.arn(function.name, LATEST)} doesn't have an EventInvokeConfig")
    return ok(function.event_invoke)


async def put_event_invoke(backend: Backend, call: Call) -> Answer:
    function = _function(backend, call.labels["FunctionName"])
    members = cast("dict[str, object]", without_nulls(read_object(call.body)))
    if function.is_durable and members.get("DestinationConfig"):
        raise invalid("Destinations are not supported for durable functions.")
    modified = {"FunctionArn": backend.catalog.arn(function.name, LATEST), "LastModified": backend.now_ms() / 1000}
    function.event_invoke = {**members, **modified}
    return ok(function.event_invoke)


async def get_concurrency(backend: Backend, call: Call) -> Answer:
    _function(backend, call.labels["FunctionName"])
    return ok({})


async def get_account_settings(backend: Backend, call: Call) -> Answer:
    limits = {
        "TotalCodeSize": 80_530_636_800,
        "CodeSizeUnzipped": 262_144_000,
        "CodeSizeZipped": 52_428_800,
        "ConcurrentExecutions": CONCURRENCY,
        "UnreservedConcurrentExecutions": CONCURRENCY,
    }
    return ok({"AccountLimit": limits, "AccountUsage": {"TotalCodeSize": 0, "FunctionCount": sum(1 for _ in backend.catalog)}})
