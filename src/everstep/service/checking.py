"""A store checked from end to end without serving it: what the database says, rows that nobody owns, execution by execution.

Rule: nothing is changed, and one fault hides no other.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from everstep.errors import UsageError
from everstep.service.machine.audit import Finding
from everstep.service.stores.api import Store, StoreError
from everstep.service.stores.inspection import Inspectable, inspected

DATABASE = "the database"
"""In place of an execution: what is wrong concerns all of it."""


class Report(Struct, frozen=True, kw_only=True):
    """What was looked at, and what is wrong. faults, warnings: of each execution, by its ARN."""

    store: str
    schema: int
    executions: int
    operations: int
    events: int
    faults: dict[str, list[Said]]
    warnings: dict[str, list[Said]]


class Said(Struct, frozen=True):
    rule: str
    says: str


async def check(store: Store, now_ms: Callable[[], int]) -> Report:
    """Raises UsageError if there is nothing to check in such a store, StoreError if it cannot be looked into."""
    if not isinstance(store, Inspectable):
        raise UsageError("only a store that outlives its process can be checked: sqlite:///file.db or postgresql://user@host/database")
    faults: dict[str, list[Said]] = {}
    warnings: dict[str, list[Said]] = {}

    def say(where: str, finding: Finding) -> None:
        (warnings if finding.is_warning else faults).setdefault(where, []).append(Said(finding.rule, finding.text))

    executions = operations = events = 0
    async with store.inspecting() as inspection:
        for text in await inspection.damage():
            say(DATABASE, Finding("database", text))
        try:
            for text in await inspection.orphans():
                say(DATABASE, Finding("orphans", text))
            async for stored in inspection.executions():
                found = inspected(stored, now_ms())
                executions, operations, events = executions + 1, operations + found.operations, events + found.events
                for finding in found.findings:
                    say(found.name, finding)
        except StoreError as error:
            if error.is_retryable:  # it went away
                raise
            say(DATABASE, Finding("database", f"it could be read no further: {error}"))
        return Report(
            store=inspection.place,
            schema=inspection.schema,
            executions=executions,
            operations=operations,
            events=events,
            faults=faults,
            warnings=warnings,
        )
