"""The writing side of the PostgreSQL store: a group of writes is one transaction, and mostly one statement.

A statement checks revisions, writes executions, payloads, operations and events, settles who owns what, and tells the
other instances: one round trip, one wait for the disk. A lone write, the most common group, brings its values as
parameters; a larger group brings each column as an array. Measured, a write being a step: 3,300 a second instead of
2,500 alone; in groups of fifty 32,000 instead of 11,000 as JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from itertools import chain as joining
from typing import Final, NamedTuple

from everstep.service.stores.api import Write
from everstep.service.stores.postgres.chains import Chain, halves, rounds
from everstep.service.stores.postgres.connections import Connections
from everstep.service.stores.postgres.prepared import Statement
from everstep.service.stores.postgres.statements import DELETE, Shape, statement

FEW: Final = 4
"""Operations that a lone write brings as parameters."""


class Answer(NamedTuple):
    """Of a row that was written. owner: who is at work for it now."""

    id: str
    owner: str | None


class Writer:
    """Writes as the instance `owner`. prefix: of the channels on which instances hear of each other, see news.py."""

    def __init__(self, connections: Connections, owner: str, prefix: str) -> None:
        self._connections, self._owner, self._prefix = connections, owner, prefix

    async def commit(self, writes: Sequence[Write], *, tell_ends: bool) -> tuple[list[bool], list[Answer]]:
        """For each write, whether it was taken; and the rows that were changed. tell_ends: others may wait for results."""
        taken = [False] * len(writes)
        answers: list[Answer] = []
        transactions = [
            [(chains, self._statement(chains, tell_ends=tell_ends)) for chains in halves(group.values())] for group in rounds(writes)
        ]  # all of them, because what cannot be encoded is to keep everything from being written
        for statements in transactions:
            results = await self._connections.write([statement for _, statement in statements])
            for (chains, _), rows in zip(statements, results, strict=True):
                by_id = {chain.last.id: chain for chain in chains}
                for identity, owner, *_ in rows:
                    assert identity is not None
                    answer = Answer(identity.decode(), None if owner is None else owner.decode())
                    answers.append(answer)
                    for place in by_id[answer.id].places:
                        taken[place] = True
        return taken, answers

    async def delete(self, execution_ids: Sequence[str]) -> None:
        """One at a time, so that nobody who waits for one of them is waited for because of another."""
        for execution_id in execution_ids:
            await self._connections.write([DELETE.of([execution_id])])

    def _statement(self, chains: Sequence[Chain], *, tell_ends: bool) -> Statement:
        records = [list(chain.records.items()) for chain in chains]
        payloads = [list(chain.payloads.items()) for chain in chains]
        is_alone = len(chains) == 1 and len(records[0]) <= FEW
        all_records, all_payloads = list(joining.from_iterable(records)), list(joining.from_iterable(payloads))
        notices = [(chain.last.id, one.webhook, one.id, one.at, one.body) for chain in chains for one in chain.notices]
        shape = Shape(
            is_new=chains[0].is_new,
            is_alone=is_alone,
            records=len(all_records) if is_alone else min(len(all_records), 1),
            payloads=len(all_payloads) if is_alone else min(len(all_payloads), 1),
            has_notices=bool(notices),
        )
        rows = [chain.row() for chain in chains]
        if not is_alone:
            rows = [(*row, *ranges) for row, *ranges in zip(rows, *_ranges(records), *_ranges(payloads), strict=True)]
        values: list[object] = [self._owner, self._prefix, tell_ends]
        for elements in (rows, all_records, all_payloads):
            values += joining.from_iterable(elements) if is_alone else map(list, zip(*elements, strict=True))
        values += map(list, zip(*notices, strict=True))
        return statement(shape).of(values)


def _ranges(parts: Sequence[Sequence[object]]) -> tuple[list[int], list[int]]:
    """Where each part begins and ends when they are joined, from 1 on."""
    ends = list(accumulate(map(len, parts)))
    return [end - len(part) + 1 for part, end in zip(parts, ends, strict=True)], ends
