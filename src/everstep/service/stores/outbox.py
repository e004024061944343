"""What a store keeps of webhooks: the events that are owed to them, until they are delivered or given up.

Rule: a notice is recorded by the `commit` of the change that it is about, with it or not at all. Whoever claims it may fail to
deliver it, or die: then it can be claimed again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from everstep.service.machine.model import Notice


class Owed(Struct, frozen=True):
    """attempts: how many have failed."""

    notice: Notice
    attempts: int


class Later(Struct, frozen=True):
    """A notice that is to be tried again at `due_at`, after so many failed attempts."""

    id: str
    attempts: int
    due_at: int


class Backlog(Struct, frozen=True):
    """How many events a webhook is owed. oldest_at: since when the one that has waited longest."""

    count: int
    oldest_at: int


class Outbox(Protocol):
    """Methods raise StoreError, as the store's own do."""

    async def claim(self, webhook: str, now: int, until: int, *, limit: int, besides: Collection[str]) -> Sequence[Owed]:
        """Up to `limit` notices that are due, the one that is due longest first.

        until: nobody else gets them before. besides: ids of those that the caller has already.
        """
        ...

    async def next_due(self, webhook: str, *, besides: Collection[str]) -> int | None:
        """When there is something to claim next."""
        ...

    async def settle(self, webhook: str, gone: Sequence[str], later: Sequence[Later]) -> None:
        """Forget what was delivered or given up, and put off what was not."""
        ...

    async def expire(self, webhook: str, before: int) -> int:
        """Forget what has been owed since before then; returns how many."""
        ...

    async def forget_others(self, webhooks: Collection[str], before: int) -> int:
        """The same, for all webhooks but these."""
        ...

    async def backlog(self) -> Mapping[str, Backlog]:
        """By webhook; those that are owed nothing are left out."""
        ...
