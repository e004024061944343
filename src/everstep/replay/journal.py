"""What is recorded of one execution, as the handler's side knows it.

Rule: a finished operation never changes, and an operation's place in the order (when it began) is fixed when it is first
seen or first sent. Completions are ordered by (end time, place): the order in which every replay delivers them (ADR 0005).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from everstep.errors import ReplayMismatch
from everstep.protocol.shapes import TERMINAL, Operation

BATCHES = ("Map", "Parallel")
PATCH = "Patch"
"""Sub-type of the marks that `patched` records; no code has to come past them."""


class Journal:
    """The operations of one execution by id, and their places in the order in which they began."""

    __slots__ = ("_places", "operations")

    def __init__(self, operations: Mapping[str, Operation]) -> None:
        """operations: by id, in the order in which they began. The mapping is taken over, not copied."""
        self.operations: dict[str, Operation] = operations if isinstance(operations, dict) else dict(operations)
        self._places: dict[str, int] = dict(zip(self.operations, range(len(self.operations)), strict=True))

    def begin(self, operation_id: str) -> None:
        """Give an operation that is about to be sent for the first time its place."""
        self._places.setdefault(operation_id, len(self._places))

    def absorb(self, operation: Operation) -> bool:
        """Take over a newer state; whether it is news (a finished operation stays as it was)."""
        known = self.operations.get(operation.id)
        if known is not None and known.status in TERMINAL:
            return False
        self.operations[operation.id] = operation
        if known is None:
            self._places.setdefault(operation.id, len(self._places))
        return True

    def take(self, operations: Iterable[Operation]) -> list[Operation]:
        """Take over newer states; those that are news."""
        return [operation for operation in operations if self.absorb(operation)]

    @property
    def count(self) -> int:
        """How many operations have begun."""
        return len(self._places)

    def key(self, operation: Operation) -> tuple[float, int]:
        """Where a completion stands among all completions of the execution."""
        return operation.end_timestamp or operation.start_timestamp, self._places[operation.id]

    def place(self, operation_id: str) -> int:
        """When the operation began, as a position among the others."""
        return self._places[operation_id]


def check_identity(
    recorded: Operation,
    *,
    operation_type: str,
    sub_type: str,
    name: str | None,
    name_is_inferred: bool,
    parent_id: str | None,
    where: str | None = None,
) -> None:
    """Raise ReplayMismatch unless the handler asks for what is recorded.

    name_is_inferred: the name was taken from a function, not given: a record without a name (another SDK's) agrees with it.
    Source: identity rule of the official Python SDK since 2.0: type, sub-type, name and parent must agree.
    """
    if (
        recorded.type == operation_type
        and (recorded.sub_type or sub_type) == sub_type
        and (recorded.name == name or (not recorded.name and (not name or name_is_inferred)))
        and recorded.parent_id == parent_id
    ):
        return
    raise ReplayMismatch(
        operation_id=recorded.id,
        recorded=_described(recorded.sub_type or recorded.type, recorded.name, recorded.parent_id),
        asked=_described(sub_type, name, parent_id),
        where=where,
    )


def _described(kind: str, name: str | None, parent_id: str | None) -> str:
    named = f'{kind} "{name}"' if name else f"an unnamed {kind}"
    return f"{named} inside {parent_id[:12]}…" if parent_id else named


def visible_ids(operations: Mapping[str, Operation]) -> set[str]:
    """The recorded operations that a replay comes past: not the EXECUTION, and not those inside contexts that need not run again.

    Of a batch whose result is gathered from its branches, those that had not ended do not run again either. operations: in the order
    in which they began, so that a context stands before its children.
    """
    shown: set[str] = set()
    closed: set[str] = set()
    for operation in operations.values():
        if operation.type == "EXECUTION" or operation.sub_type == PATCH:
            continue
        hidden = operation.parent_id in closed or _is_left_unfinished(operation, operations)
        if operation.type == "CONTEXT" and (hidden or (operation.status in TERMINAL and not _replays_children(operation))):
            closed.add(operation.id)
        if not hidden:
            shown.add(operation.id)
    return shown


def is_gathered(operation: Operation | None) -> bool:
    """Whether it is a batch that was too large to be recorded: its result is gathered from the records of its branches."""
    return operation is not None and operation.sub_type in BATCHES and operation.status in TERMINAL and _replays_children(operation)


def _is_left_unfinished(operation: Operation, operations: Mapping[str, Operation]) -> bool:
    """Whether it is a branch that had not ended when its batch was complete."""
    return (
        operation.type == "CONTEXT"
        and operation.status not in TERMINAL
        and operation.parent_id is not None
        and is_gathered(operations.get(operation.parent_id))
    )


def _replays_children(operation: Operation) -> bool:
    return operation.context_details is not None and bool(operation.context_details.replay_children)
