"""The functions that an embedded service can call: durable handlers, and plain async functions for chained invokes.

Rule: a function has one version here, `$LATEST`; a qualifier in a reference is accepted and makes no difference, so
that code written for AWS, where durable functions must be qualified, runs unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection
from typing import Final, Never, TypeAlias

from msgspec import Struct

from everstep.client.function import DurableFunction
from everstep.errors import UsageError
from everstep.protocol.limits import FUNCTION_NAME_PATTERN
from everstep.protocol.shapes import ChainedInvokeOptions, ErrorObject
from everstep.service.machine.model import CallFunction, DurableTarget, NewExecution, PlainTarget, Target, Terms
from everstep.service.machine.rejection import invalid

VERSION: Final = "$LATEST"

AnyDurable: TypeAlias = DurableFunction[Never, object]
"""A durable function of whatever input and output."""
PlainCall: TypeAlias = Callable[[str], Awaitable[str | None]]
"""A plain function at the level of JSON texts."""

_REFERENCE: Final = re.compile(
    r"(?:(?:arn:[a-zA-Z0-9-]+:lambda:(?P<region>[a-zA-Z0-9-]+):)?(?P<account>\d{12}):function:)?"
    r"(?P<name>[a-zA-Z0-9_-]{1,64})(?::(?P<qualifier>\$?[a-zA-Z0-9._-]{1,128}))?"
)


class FunctionError(Exception):
    """A function raised, crashed or could not be reached; `error` is what to record."""

    def __init__(self, error: ErrorObject) -> None:
        self.error = error
        super().__init__(f"{error.error_type}: {error.error_message}")


class Durable(Struct, frozen=True):
    """A registered durable function. Times in seconds; invocation_timeout_s: None if an invocation may take any time."""

    name: str
    function: AnyDurable
    timeout_s: int
    retention_days: int
    invocation_timeout_s: float | None


class Plain(Struct, frozen=True):
    """A registered plain function."""

    name: str
    call: PlainCall
    timeout_s: int


class Functions:
    """What is registered, by name. new_id: makes ids that never come again."""

    def __init__(self, *, account: str, region: str, new_id: Callable[[], str]) -> None:
        self.account, self.region = account, region
        self._new_id = new_id
        self._known: dict[str, Durable | Plain] = {}

    def add(self, entry: Durable | Plain) -> None:
        """Raises UsageError if the name is none, or taken."""
        if not FUNCTION_NAME_PATTERN.fullmatch(entry.name):
            raise UsageError(f"{entry.name!r} cannot name a function: 1 to 64 letters, digits, - and _; give register() another name")
        if entry.name in self._known:
            raise UsageError(f"a function {entry.name!r} is registered already: give register() another name")
        if isinstance(entry, Durable) and (registered := self.of(entry.function)) is not None:
            raise UsageError(f"{entry.function!r} is registered already, as {registered.name!r}")
        self._known[entry.name] = entry

    def durable(self, name: str, version: str = VERSION) -> Durable | None:
        """What to call for executions that are pinned to this version, None if it is not known (yet)."""
        entry = self._known.get(name)
        return entry if isinstance(entry, Durable) else None

    def names(self) -> Collection[str]:
        """Of the functions whose executions can be invoked here."""
        return self._known.keys()

    def plain(self, name: str) -> Plain | None:
        entry = self._known.get(name)
        return entry if isinstance(entry, Plain) else None

    def plain_for(self, call: CallFunction) -> Plain | None:
        """What to call for a chained invoke of a plain function, None if it is not known (yet)."""
        return self.plain(call.target.function)

    def drop_parked(self) -> None:
        """Let all handlers forget what they keep in memory."""
        for entry in self._known.values():
            if isinstance(entry, Durable):
                entry.function.drop_parked()

    def of(self, function: AnyDurable) -> Durable | None:
        """The entry of a handler object."""
        return next((entry for entry in self._known.values() if isinstance(entry, Durable) and entry.function is function), None)

    def new_execution(self, entry: Durable, *, name: str | None, payload: str | None, result_limit: int) -> NewExecution:
        execution_id = self._new_id()
        name = name or self._new_id()
        return NewExecution(
            id=execution_id,
            arn=self._execution_arn(entry.name, name, execution_id),
            name=name,
            function=entry.name,
            version=VERSION,
            input=payload,
            terms=Terms(
                timeout_s=entry.timeout_s,
                retention_days=entry.retention_days,
                result_limit=result_limit,
                invoked_as=self.function_arn(entry.name),
            ),
        )

    def resolve(self, options: ChainedInvokeOptions) -> Target | ErrorObject:
        """What a chained invoke calls; an error if there is no such function. Raises Rejected on a malformed or foreign reference."""
        reference = _REFERENCE.fullmatch(options.function_name)
        if reference is None:
            raise invalid(f"Invalid function ARN '{options.function_name}'")
        if reference["account"] not in (None, self.account):
            raise invalid("Cannot start a CHAINED_INVOKE on a function in another account.")
        if reference["region"] not in (None, self.region):
            raise invalid("Cannot start a CHAINED_INVOKE on a function in another region.")
        entry = self._known.get(reference["name"])
        if isinstance(entry, Plain):
            return PlainTarget(function=entry.name, version=VERSION, timeout_s=entry.timeout_s)
        if isinstance(entry, Durable):
            execution_id, name = self._new_id(), self._new_id()
            return DurableTarget(
                function=entry.name,
                version=VERSION,
                id=execution_id,
                arn=self._execution_arn(entry.name, name, execution_id),
                name=name,
                timeout_s=entry.timeout_s,
                retention_days=entry.retention_days,
                invoked_as=self.function_arn(entry.name),
            )
        qualified = self.function_arn(reference["name"], reference["qualifier"] or VERSION)
        return ErrorObject(error_type="ResourceNotFoundException", error_message=f"Function not found: {qualified}")

    def function_arn(self, name: str, version: str = VERSION) -> str:
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{name}:{version}"

    def _execution_arn(self, function: str, name: str, execution_id: str) -> str:
        return f"{self.function_arn(function)}/durable-execution/{name}/{execution_id}"
