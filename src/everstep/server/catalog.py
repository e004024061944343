"""The functions that the server knows, with their versions and aliases.

Rule: durable functions are named with a qualifier, and an execution is pinned to the version that it resolves to when it
starts; `$LATEST` means whatever code is the latest when an invocation begins. A function that was never heard of may yet be
declared, so its executions wait; one that was deleted fails them.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct, field

from everstep.errors import UsageError
from everstep.protocol.limits import FUNCTION_NAME_PATTERN
from everstep.protocol.shapes import ChainedInvokeOptions, ErrorObject
from everstep.server.code import Code, FunctionCall, Gone, InProcessDurable, OnTexts, called_within
from everstep.server.references import LATEST, Reference, parse
from everstep.server.remote import RemoteDurable
from everstep.server.shapes import DurableConfig, TenancyConfig
from everstep.service.functions import Durable, Functions, Plain
from everstep.service.ids import random_id
from everstep.service.machine.model import CallFunction, DurableTarget, NewExecution, PlainTarget, Target, Terms
from everstep.service.machine.rejection import invalid

UNQUALIFIED: Final = "You cannot invoke a durable function using an unqualified ARN."
DEFAULT_TIMEOUT_S: Final = 15 * 60
"""Of one call of a function that was declared without. Precedent: Lambda's longest."""


class Configuration(Struct, frozen=True, kw_only=True):
    """What a version of a function is set to. others: members that are stored and shown, by their wire's names."""

    timeout_s: int = DEFAULT_TIMEOUT_S
    durable: DurableConfig | None = None
    tenancy: TenancyConfig | None = None
    description: str = ""
    others: Mapping[str, object] = {}
    modified_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    revision_id: str = field(default_factory=random_id)


class Version(Struct, frozen=True, kw_only=True):
    """A function's code and settings under a number, or `$LATEST`."""

    number: str
    configuration: Configuration
    code: Code


class Alias(Struct, frozen=True, kw_only=True):
    name: str
    version: str
    description: str = ""
    routing: Mapping[str, float] = {}
    revision_id: str = field(default_factory=random_id)


class Function:
    """A function. versions: by number, `$LATEST` first."""

    def __init__(self, name: str, code: Code, configuration: Configuration) -> None:
        self.name = name
        self.versions: dict[str, Version] = {LATEST: Version(number=LATEST, configuration=configuration, code=code)}
        self.aliases: dict[str, Alias] = {}
        self.tags: dict[str, str] = {}
        self.event_invoke: dict[str, object] = {}

    @property
    def latest(self) -> Version:
        return self.versions[LATEST]

    @property
    def is_durable(self) -> bool:
        return self.latest.configuration.durable is not None

    def version(self, qualifier: str | None, chance: Callable[[], float]) -> Version | None:
        """The version that a qualifier means now. chance: a number from 0 to 1, for aliases with weights."""
        alias = self.aliases.get(qualifier or LATEST)
        number = (qualifier or LATEST) if alias is None else _drawn(alias, chance())
        return self.versions.get(LATEST if number == "$LATEST.PUBLISHED" else number)


def _drawn(alias: Alias, chance: float) -> str:
    for version, weight in alias.routing.items():
        if chance < weight:
            return version
        chance -= weight
    return alias.version


class Catalog(Functions):
    """Functions for a Service that is served over HTTP. chance: a number from 0 to 1, at random."""

    def __init__(
        self,
        *,
        account: str = "123456789012",
        region: str = "us-east-1",
        new_id: Callable[[], str] = random_id,
        chance: Callable[[], float] = lambda: 0.0,
    ) -> None:
        super().__init__(account=account, region=region, new_id=new_id)
        self.new_id = new_id
        self._chance = chance
        self._functions: dict[str, Function] = {}
        self._deleted: set[tuple[str, str]] = set()
        self.on_added: Callable[[str], None] = lambda name: None
        """Called with the name of each function that can be called from now on."""

    # -- what is known

    def __iter__(self) -> Iterator[Function]:
        return iter(self._functions.values())

    def function(self, name: str) -> Function | None:
        return self._functions.get(name)

    def find(self, reference: Reference) -> tuple[Function, Version] | None:
        """The function and the version that are meant, None if there is no such function, version or alias here."""
        function = self._functions.get(reference.name)
        if function is None or not self.is_here(reference):
            return None
        version = function.version(reference.qualifier, self._chance)
        return None if version is None else (function, version)

    def is_here(self, reference: Reference) -> bool:
        return reference.account in (None, self.account) and reference.region in (None, self.region)

    def arn(self, name: str, qualifier: str | None = None) -> str:
        unqualified = f"arn:aws:lambda:{self.region}:{self.account}:function:{name}"
        return unqualified if qualifier is None else f"{unqualified}:{qualifier}"

    # -- changes

    def declare(self, function: Function) -> None:
        """Raises UsageError if the name is none, or taken."""
        if not FUNCTION_NAME_PATTERN.fullmatch(function.name):
            raise UsageError(f"{function.name!r} cannot name a function: 1 to 64 letters, digits, - and _")
        if function.name in self._functions:
            raise UsageError(f"there are two functions called {function.name!r}")
        self._functions[function.name] = function
        self._deleted = {gone for gone in self._deleted if gone[0] != function.name}
        self.on_added(function.name)

    def remove(self, name: str, number: str | None = None) -> Function:
        """Forget a function, or one version of it."""
        function = self._functions[name]
        if number is None:
            del self._functions[name]
            self._deleted.update((name, version) for version in function.versions)
        else:
            del function.versions[number]
            self._deleted.add((name, number))
        return function

    def add(self, entry: Durable | Plain) -> None:
        """See Functions: a function of this process, by `Service.register`."""
        super().add(entry)
        if isinstance(entry, Durable):
            timeout_s = DEFAULT_TIMEOUT_S if entry.invocation_timeout_s is None else math.ceil(entry.invocation_timeout_s)
            durable = DurableConfig(execution_timeout=entry.timeout_s, retention_period_in_days=entry.retention_days)
            code: Code = InProcessDurable(entry.function)
            self.declare(Function(entry.name, code, Configuration(timeout_s=timeout_s, durable=durable)))
        else:
            configuration = Configuration(timeout_s=entry.timeout_s or DEFAULT_TIMEOUT_S)
            self.declare(Function(entry.name, OnTexts(entry.call), configuration))

    async def close(self) -> None:
        """Let go of all code."""
        codes = {id(version.code): version.code for function in self._functions.values() for version in function.versions.values()}
        async with asyncio.TaskGroup() as group:
            for code in codes.values():
                group.create_task(code.close())

    # -- what the engine asks

    def names(self) -> Collection[str]:
        return {*self._functions, *(name for name, _ in self._deleted)}

    def durable(self, name: str, version: str = LATEST) -> Durable | None:
        found = self._functions[name].versions.get(version) if name in self._functions else None
        if found is None:
            is_gone = (name, version) in self._deleted or name in self._functions
            return Durable(name, Gone(self.arn(name, version)), 1, 1, None) if is_gone else None
        configuration, code = found.configuration, found.code
        if configuration.durable is None:
            return None
        return Durable(
            name,
            code.function if isinstance(code, InProcessDurable) else RemoteDurable(name, version, code),
            configuration.durable.execution_timeout,
            configuration.durable.retention_period_in_days,
            configuration.timeout_s,
        )

    def plain_for(self, call: CallFunction) -> Plain | None:
        name, number = call.target.function, call.target.version
        function = self._functions.get(name)
        version = None if function is None else function.versions.get(number)
        if version is None:
            is_gone = (name, number) in self._deleted or function is not None
            return Plain(name, Gone(self.arn(name, number)).call, 0) if is_gone else None
        timeout_s = version.configuration.timeout_s

        async def on_text(payload: str) -> str:
            return await called_within(
                timeout_s,
                version.code,
                FunctionCall(
                    function=name,
                    version=number,
                    arn=self.arn(name, number),
                    request_id=self.new_id(),
                    payload=payload,
                    deadline_ms=now_ms() + timeout_s * 1000,
                    tenant_id=call.tenant_id,
                    trace_header=call.trace_header,
                ),
            )

        return Plain(name, on_text, 0)

    def drop_parked(self) -> None:
        for function in self._functions.values():
            for version in function.versions.values():
                if isinstance(version.code, InProcessDurable):
                    version.code.function.drop_parked()

    def resolve(self, options: ChainedInvokeOptions) -> Target | ErrorObject:
        """See Functions. Qualifiers count here: a durable function needs one."""
        reference = parse(options.function_name)
        if reference is None:
            raise invalid(f"Invalid function ARN '{options.function_name}'")
        if reference.account not in (None, self.account):
            raise invalid("Cannot start a CHAINED_INVOKE on a function in another account.")
        if reference.region not in (None, self.region):
            raise invalid("Cannot start a CHAINED_INVOKE on a function in another region.")
        found = self.find(reference)
        if found is None:
            qualified = self.arn(reference.name, reference.qualifier or LATEST)
            return ErrorObject(error_type="ResourceNotFoundException", error_message=f"Function not found: {qualified}")
        function, version = found
        refusal = refused(version, reference.qualifier, options.tenant_id)
        if refusal is not None:
            return ErrorObject(error_type="InvalidParameterValueException", error_message=refusal)
        durable = version.configuration.durable
        if durable is None:
            return PlainTarget(function=function.name, version=version.number)  # its code watches over the time it takes
        execution_id, name = self.new_id(), self.new_id()
        return DurableTarget(
            function=function.name,
            version=version.number,
            id=execution_id,
            arn=self.execution_arn(function.name, version.number, name, execution_id),
            name=name,
            timeout_s=durable.execution_timeout,
            retention_days=durable.retention_period_in_days,
            invoked_as=self.arn(function.name, reference.qualifier),
        )

    # -- executions

    def execution_of(
        self,
        function: Function,
        version: Version,
        *,
        qualifier: str,
        name: str | None,
        payload: str | None,
        result_limit: int,
        tenant_id: str | None = None,
        trace_header: str | None = None,
    ) -> NewExecution:
        """A new execution of a durable version, invoked under that qualifier."""
        durable = version.configuration.durable
        assert durable is not None
        execution_id = self.new_id()
        name = name or self.new_id()
        return NewExecution(
            id=execution_id,
            arn=self.execution_arn(function.name, version.number, name, execution_id),
            name=name,
            function=function.name,
            version=version.number,
            input=payload,
            terms=Terms(
                timeout_s=durable.execution_timeout,
                retention_days=durable.retention_period_in_days,
                result_limit=result_limit,
                tenant_id=tenant_id,
                trace_header=trace_header,
                invoked_as=self.arn(function.name, qualifier),
            ),
        )

    def execution_arn(self, function: str, version: str, name: str, execution_id: str) -> str:
        return f"{self.arn(function, version)}/durable-execution/{name}/{execution_id}"


def refused(version: Version, qualifier: str | None, tenant_id: str | None) -> str | None:
    """Why the version can't be invoked so; None if it can."""
    if version.configuration.durable is not None and qualifier is None:
        return UNQUALIFIED
    if version.configuration.tenancy is not None and tenant_id is None:
        return "The invoked function has tenant isolation enabled: TenantId is required."
    if version.configuration.tenancy is None and tenant_id is not None:
        return "The invoked function does not have tenant isolation enabled: TenantId must not be given."
    return None


def now_ms() -> int:
    return round(datetime.now(UTC).timestamp() * 1000)
