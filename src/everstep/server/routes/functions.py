"""Function management, as far as tools use it: functions, their configuration and their versions.

Rule: code that is uploaded is not run. A function made by CreateFunction is served by the workers that ask for its
invocations; what it is told about itself is stored and shown.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, cast

from msgspec import UNSET, to_builtins
from msgspec.structs import replace

from everstep.errors import UsageError
from everstep.protocol.limits import FUNCTION_NAME_PATTERN, MAX_EXECUTION_TIMEOUT_S
from everstep.server import markers
from everstep.server.answers import NO_CONTENT, Answer, ok
from everstep.server.backend import Backend
from everstep.server.catalog import Catalog, Configuration, Function, Version
from everstep.server.errors import ApiError, invalid, malformed, not_found
from everstep.server.input_schema import input_schema
from everstep.server.pulled import Pulled
from everstep.server.references import LATEST, Reference, requested
from everstep.server.requests import Call, converted, read_object, without_nulls
from everstep.server.shapes import (
    CodeSettings,
    DurableConfig,
    DurableSettings,
    FunctionConfiguration,
    FunctionDescription,
    FunctionSettings,
    InputSchema,
    VersionSettings,
)
from everstep.service.ids import random_id
from everstep.service.machine.validation import Violations

MAX_TIMEOUT_S: Final = 5400
DEFAULT_RETENTION_DAYS: Final = 14
MAX_RETENTION_DAYS: Final = 90
DEFAULT_LISTING: Final = 50
LARGEST_LISTING: Final = 10_000
_NOT_STORED: Final = frozenset(
    {"FunctionName", "Code", "Publish", "Tags", "Timeout", "DurableConfig", "TenancyConfig", "Description", "RevisionId", "DryRun"}
)
_DEFAULTS: Final[Mapping[str, object]] = {"MemorySize": 128, "PackageType": "Zip", "Architectures": ["x86_64"], "CodeSize": 0}


# -- functions


async def create(backend: Backend, call: Call) -> Answer:
    members = cast("dict[str, object]", without_nulls(read_object(call.body)))
    given = converted(members, FunctionSettings)
    violations = Violations()
    for member, value in (("functionName", given.function_name), ("role", given.role), ("code", given.code)):
        if value is None:
            violations.required(member)
    _check(violations, given)
    violations.reject()
    assert given.function_name is not None
    reference = requested(given.function_name)
    _check_name(backend.catalog, reference)
    if backend.catalog.function(reference.name) is not None:
        raise ApiError("ResourceConflictException", f"Function already exist: {reference.name}")
    configuration = Configuration(
        timeout_s=given.timeout or 3,
        durable=None if given.durable_config is None else _durable_config(given.durable_config, None),
        tenancy=given.tenancy_config,
        description=given.description or "",
        others=_stored(members) | _code_members(given.code or {}),
    )
    function = Function(reference.name, Pulled(reference.name), configuration)
    function.tags = given.tags
    try:
        backend.catalog.declare(function)
    except UsageError as error:
        raise invalid(str(error)) from None
    version = _publish(function, None) if given.publish else function.latest
    return ok(configuration_of(backend.catalog, function, version, is_qualified=given.publish), status=201)


async def get(backend: Backend, call: Call) -> Answer:
    function, version, reference = _found(backend, call)
    shown = configuration_of(backend.catalog, function, version, is_qualified=reference.qualifier is not None)
    return ok(FunctionDescription(configuration=shown, code={"RepositoryType": "S3"}, tags=function.tags))


async def get_configuration(backend: Backend, call: Call) -> Answer:
    function, version, reference = _found(backend, call)
    return ok(configuration_of(backend.catalog, function, version, is_qualified=reference.qualifier is not None))


async def get_input_schema(backend: Backend, call: Call) -> Answer:
    """An operation of ours, which AWS does not have."""
    _, version, _ = _found(backend, call)
    return ok(InputSchema(schema=input_schema(version.code)))


async def update_configuration(backend: Backend, call: Call) -> Answer:
    function, _, _ = _found(backend, call)
    members = cast("dict[str, object]", without_nulls(read_object(call.body)))
    given = converted(members, FunctionSettings)
    violations = Violations()
    _check(violations, given)
    violations.reject()
    before = function.latest.configuration
    _check_revision(given.revision_id, before)
    durable = before.durable
    if given.durable_config is not None:
        if durable is None:
            raise invalid("DurableConfig can only be set when a function is created.")
        durable = _durable_config(given.durable_config, durable)
    after = replace(
        before,
        timeout_s=given.timeout or before.timeout_s,
        durable=durable,
        description=before.description if given.description is None else given.description,
        others={**before.others, **_stored(members)},
        modified_at=datetime.now(UTC),
        revision_id=random_id(),
    )
    function.versions[LATEST] = replace(function.latest, configuration=after)
    return ok(configuration_of(backend.catalog, function, function.latest))


async def update_code(backend: Backend, call: Call) -> Answer:
    function, _, _ = _found(backend, call)
    members = cast("dict[str, object]", without_nulls(read_object(call.body)))
    given = converted(members, CodeSettings)
    before = function.latest.configuration
    _check_revision(given.revision_id, before)
    code = _code_members(members)
    if not given.dry_run:
        after = replace(before, others={**before.others, **code}, modified_at=datetime.now(UTC), revision_id=random_id())
        function.versions[LATEST] = replace(function.latest, configuration=after)
    version = _publish(function, None) if given.publish else function.latest
    return ok(configuration_of(backend.catalog, function, version, is_qualified=given.publish))


async def list_all(backend: Backend, call: Call) -> Answer:
    violations = Violations()
    if (asked := call.text("FunctionVersion")) is not None:
        violations.one_of("functionVersion", asked, ("ALL",))
    violations.reject()
    with_versions = asked is not None
    versions = [
        configuration_of(backend.catalog, function, version, is_qualified=with_versions)
        for function in sorted(backend.catalog, key=lambda one: one.name)
        for version in function.versions.values()
        if version.number == LATEST or with_versions
    ]
    return paged(backend, call, "Functions", versions)


async def delete(backend: Backend, call: Call) -> Answer:
    reference = requested(call.labels["FunctionName"], call.text("Qualifier"))
    function, version, _ = _found(backend, call)
    if reference.qualifier is None:
        for one in backend.catalog.remove(function.name).versions.values():
            await one.code.close()
        return NO_CONTENT
    if version.number == LATEST or reference.qualifier in function.aliases:
        raise invalid("$LATEST version cannot be deleted without deleting the function.")
    if any(version.number in (alias.version, *alias.routing) for alias in function.aliases.values()):
        raise ApiError("ResourceConflictException", f"Version {version.number} is in use by an alias: point the alias elsewhere first.")
    backend.catalog.remove(function.name, version.number)
    return NO_CONTENT


# -- versions


async def publish_version(backend: Backend, call: Call) -> Answer:
    function, _, _ = _found(backend, call)
    given = call.members(VersionSettings)
    _check_revision(given.revision_id, function.latest.configuration)
    version = _publish(function, given.description)
    return ok(configuration_of(backend.catalog, function, version, is_qualified=True), status=201)


async def list_versions(backend: Backend, call: Call) -> Answer:
    function, _, _ = _found(backend, call)
    shown = [configuration_of(backend.catalog, function, version, is_qualified=True) for version in function.versions.values()]
    return paged(backend, call, "Versions", shown)


def _publish(function: Function, description: str | None) -> Version:
    """A version of what `$LATEST` is now; the last one, if nothing changed since."""
    latest = function.latest
    numbers = [int(number) for number in function.versions if number != LATEST]
    if numbers:
        last = function.versions[str(max(numbers))]
        if last.configuration.revision_id == latest.configuration.revision_id and last.code is latest.code:
            return last
    number = str(max(numbers, default=0) + 1)
    configuration = latest.configuration if description is None else replace(latest.configuration, description=description)
    version = function.versions[number] = replace(latest, number=number, configuration=configuration)
    return version


# -- forms


def configuration_of(catalog: Catalog, function: Function, version: Version, *, is_qualified: bool = False) -> dict[str, object]:
    """A FunctionConfiguration."""
    configuration = version.configuration
    shown = FunctionConfiguration(
        function_name=function.name,
        function_arn=catalog.arn(function.name, version.number if is_qualified else None),
        version=version.number,
        timeout=configuration.timeout_s,
        description=configuration.description,
        last_modified=configuration.modified_at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000",
        revision_id=configuration.revision_id,
        durable_config=configuration.durable or UNSET,
        tenancy_config=configuration.tenancy or UNSET,
    )
    return {**_DEFAULTS, **configuration.others, **to_builtins(shown)}


def paged(backend: Backend, call: Call, member: str, items: Sequence[object]) -> Answer:
    """A page of a listing that is short enough to be kept whole."""
    size = call.page_size(default=DEFAULT_LISTING, least=1, most=LARGEST_LISTING)
    listing = (member, tuple(call.labels.values()))
    start = 0
    if marker := call.text("Marker"):
        position = markers.read(marker, listing, backend.now_ms())
        start = position[0] if len(position) == 1 and isinstance(position[0], int) else 0
    end = start + size
    answer: dict[str, object] = {member: items[start:end]}
    if end < len(items):
        answer["NextMarker"] = markers.write(listing, [end], backend.now_ms())
    return ok(answer)


def _found(backend: Backend, call: Call) -> tuple[Function, Version, Reference]:
    reference = requested(call.labels["FunctionName"], call.text("Qualifier"))
    found = backend.catalog.find(reference)
    if found is None:
        raise not_found(f"Function not found: {backend.catalog.arn(reference.name, reference.qualifier)}")
    return (*found, reference)


def _check_name(catalog: Catalog, reference: Reference) -> None:
    if reference.qualifier is not None or not FUNCTION_NAME_PATTERN.fullmatch(reference.name) or not catalog.is_here(reference):
        raise invalid(f"A function cannot be created under that name here: {reference.name}")


def _check(violations: Violations, given: FunctionSettings) -> None:
    if given.timeout is not None:
        violations.range("timeout", given.timeout, 1, MAX_TIMEOUT_S)
    if (durable := given.durable_config) is not None:
        if durable.execution_timeout is not None:
            violations.range("durableConfig.executionTimeout", durable.execution_timeout, 1, MAX_EXECUTION_TIMEOUT_S)
        if durable.retention_period_in_days is not None:
            violations.range("durableConfig.retentionPeriodInDays", durable.retention_period_in_days, 1, MAX_RETENTION_DAYS)


def _check_revision(asked: str | None, configuration: Configuration) -> None:
    if asked is not None and asked != configuration.revision_id:
        raise ApiError(
            "PreconditionFailedException",
            "The RevisionId provided does not match the latest RevisionId. Call the GetFunction API to retrieve the latest one.",
        )


def _durable_config(given: DurableSettings, before: DurableConfig | None) -> DurableConfig:
    timeout = given.execution_timeout or (before.execution_timeout if before else None)
    if timeout is None:
        raise invalid("DurableConfig requires an ExecutionTimeout.")
    kept = before.retention_period_in_days if before else DEFAULT_RETENTION_DAYS
    return DurableConfig(execution_timeout=timeout, retention_period_in_days=given.retention_period_in_days or kept)


def _stored(members: Mapping[str, object]) -> dict[str, object]:
    kept = {name: value for name, value in members.items() if name not in _NOT_STORED}
    layers = kept.pop("Layers", None)
    if isinstance(layers, list):
        kept["Layers"] = [{"Arn": arn} for arn in cast("list[object]", layers)]
    return kept


def _code_members(code: Mapping[str, object]) -> dict[str, object]:
    """What is shown of code that was uploaded."""
    archive = code.get("ZipFile")
    if not isinstance(archive, str):
        return {"CodeSha256": b64encode(sha256(repr(sorted(code.items())).encode()).digest()).decode()}
    try:
        content = b64decode(archive, validate=True)
    except (Base64Error, ValueError):
        raise malformed("Code.ZipFile is not Base64.") from None
    return {"CodeSize": len(content), "CodeSha256": b64encode(sha256(content).digest()).decode()}
