"""An engine that replays and does nothing else: no body runs, nothing is sent.

Rule: it ends where an engine would begin live work. What the handler asked for until then is noted, with the line that asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import cast

from everstep.client.api import Checkpointed, StatePage
from everstep.protocol.ids import keyed_id
from everstep.protocol.shapes import Operation, OperationUpdate
from everstep.replay.journal import PATCH
from everstep.runtime.callers import calling_line
from everstep.runtime.deliveries import Target
from everstep.runtime.engine import Engine, Outcome
from everstep.runtime.loop import DurableTask


@dataclass(frozen=True, slots=True)
class Asked:
    """An operation that is not recorded, as the handler asked for it. has_key: it is known by a key, not by its place."""

    id: str
    kind: str
    name: str | None
    parent_id: str | None
    where: str | None
    has_key: bool


class ReplayOnly(Engine):
    """See the module. passed: ids of the recorded operations that the handler asked for. asked: what is not recorded, in order."""

    passed: set[str]
    asked: list[Asked]

    async def replay(self, program: Coroutine[object, object, str]) -> Outcome:
        """ "done" if the handler came to its end, "pending" if it asks for live work, or waits. Raises as `run` does."""
        self.passed, self.asked = set(), []
        return await self.run(client=_Nobody(), token="", program=program)

    def recorded(
        self, operation_id: str, *, operation_type: str, sub_type: str, name: str | None, parent_id: str | None, name_is_inferred: bool
    ) -> Operation | None:
        self.passed.add(operation_id)
        record = super().recorded(
            operation_id,
            operation_type=operation_type,
            sub_type=sub_type,
            name=name,
            parent_id=parent_id,
            name_is_inferred=name_is_inferred,
        )
        if record is None and sub_type != PATCH:  # a mark is nobody's work
            self.asked.append(Asked(operation_id, sub_type, name, parent_id, calling_line(), _has_key(operation_id)))
        return record

    def passes(self, record: Operation, *, is_early: bool = False) -> bool:
        self.passed.add(record.id)
        return super().passes(record, is_early=is_early)

    def send(self, update: OperationUpdate, *, urgent: bool) -> None:
        """Nothing is recorded here."""

    def _go_live(self, begins: Sequence[tuple[Target, Callable[[], None]]]) -> None:
        """Nothing is done here."""

    def _decide(self) -> None:
        assert self._root is not None
        self._finished.set_result("done" if self._root.done() or self.failure is not None else "pending")


def _has_key(operation_id: str) -> bool:
    task = cast("DurableTask[object] | None", asyncio.current_task())
    if task is None:
        return False
    node = task.scope.node
    return any(keyed_id(node.prefix, key) == operation_id for key in node.keys)


class _Nobody:
    """A service for replays."""

    async def checkpoint(self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str) -> Checkpointed:
        raise AssertionError(f"a replay sent {updates}")

    async def get_state(self, arn: str, token: str, marker: str, max_items: int = 1000) -> StatePage:
        raise AssertionError("a replay asked for more of the state")
