"""Records of any logger: they know where they stand, and those of replayed code go nowhere.

Rule: logging itself stays as its users configure it. Only how records are made is changed, by the hook that logging has for it,
so it holds for every logger and every handler, whenever they are added.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Set
from typing import Final

from everstep.runtime.loop import DurableLoop, running_loop
from everstep.step_context import current_step

_BELOW_EVERY_LEVEL: Final = -1


class Records:
    """Makes records as `make` does, and adds where they stand. names: of all fields that this may add."""

    def __init__(self, make: Callable[..., logging.LogRecord], names: Set[str]) -> None:
        self._make, self._names = make, names

    def __call__(self, *arguments: object, **options: object) -> logging.LogRecord:
        record = self._make(*arguments, **options)
        loop = running_loop()
        if isinstance(loop, DurableLoop):
            if loop.host.is_replaying:
                record.levelno = _BELOW_EVERY_LEVEL  # no handler takes it, and there is no other way to say so here
            else:
                self._add(record, {**loop.host.log_fields, **_of_context(loop)})
        elif (step := current_step.get(None)) is not None:
            self._add(record, {"executionArn": step.execution_arn, **step.log_fields})
        return record

    def _add(self, record: logging.LogRecord, fields: Mapping[str, object]) -> None:
        record.__dict__ = _Attributes(record.__dict__, self._names, fields)


def _of_context(loop: DurableLoop) -> Mapping[str, object]:
    context_id = loop.current_scope().node.prefix
    return {"operationId": context_id} if context_id else {}


class _Attributes(dict[str, object]):
    """A record's attributes. The fields don't count as taken: logging refuses `extra` that overwrites an attribute, and may have these."""

    def __init__(self, known: Mapping[str, object], free: Set[str], fields: Mapping[str, object]) -> None:
        super().__init__(known, **fields)
        self._free = free

    def __contains__(self, name: object) -> bool:
        return name not in self._free and super().__contains__(name)
