"""What a store adds when several services may have it open at the same time.

An execution is owned while somebody has to be at work for it: while an invocation of it runs or is owed, while functions
are called for it, while its parent has to be told. All other executions have no owner, and whoever comes first moves
them on. Ownership decides who acts; it protects nothing: what a service writes on an outdated state is refused because
of its revision, whoever owns what.

Rule: `commit` settles ownership together with the write. An execution that needs no owner afterwards loses it, one that
has none gets the writer, and `is_claim` makes it the writer's in any case. An owner who did not write is told.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeAlias, runtime_checkable

from msgspec import Struct

from everstep.service.stores.api import Store


class Changed(Struct, frozen=True):
    """Another service has changed an execution that this one owns."""

    execution_id: str


class Ended(Struct, frozen=True):
    """An execution has closed, in another service. Told only while somebody asks for it, see `hear_ends`."""

    execution_id: str


class WorkLeft(Struct, frozen=True):
    """Something was given back, and can be claimed."""


class MembersChanged(Struct, frozen=True):
    """A service has come, or has gone and left what it owned, or wants to hear of something else than before: `renew` tells."""


class Missed(Struct, frozen=True):
    """From here on there is news. Anything may have happened before."""


News: TypeAlias = Changed | Ended | WorkLeft | MembersChanged | Missed


@runtime_checkable
class SharedStore(Store, Protocol):
    """A Store for several services at a time. Opened, it is one of them, until it is closed: then it owns nothing any more."""

    @property
    def lease_s(self) -> float:
        """For how long a service counts as alive after it was last heard of: call `renew` several times in that time."""
        ...

    @property
    def is_alone(self) -> bool:
        """Whether no other service was there when this one last looked."""
        ...

    def owns(self, execution_id: str) -> bool:
        """Whether the execution is owned by this service, as far as it has heard."""
        ...

    async def renew(self) -> bool:
        """Say that this service is alive; False if the others had to take it for dead meanwhile."""
        ...

    async def hear_ends(self, *, wanted: bool) -> None:
        """Whether this service is to hear of executions that close elsewhere. The others know it some moments later; if this fails, `renew`
        tells them."""
        ...

    async def claim(self, now: int, functions: Collection[str], *, limit: int) -> Sequence[str]:
        """Own up to `limit` executions without an owner that are due. Those that wait for an invocation: only of these functions."""
        ...

    async def next_due(self, after: int) -> int | None:
        """When the next execution without an owner comes due."""
        ...

    async def give_back(self, execution_ids: Collection[str]) -> None:
        """Own these no longer, so that others may claim them; but for those that `needs_recovery` holds for by now."""
        ...

    async def take_over(self, functions: Collection[str], *, limit: int) -> Sequence[str]:
        """Own up to `limit` executions of these functions whose owner is dead. What it was doing for them is lost."""
        ...

    async def owned(self, among: Collection[str] | None = None) -> Sequence[str]:
        """What this service owns of these, or at all, looked up."""
        ...

    async def revision(self, execution_id: str) -> int | None:
        """Of the stored execution, None if there is none."""
        ...

    async def revisions(self, execution_ids: Collection[str]) -> Mapping[str, int]:
        """Of those of the executions that are stored."""
        ...

    async def still_open(self, execution_ids: Collection[str]) -> Collection[str]:
        """Those of the executions that have not closed."""
        ...

    def news(self) -> AbstractAsyncContextManager[AsyncGenerator[News]]:
        """What other services do, from now on. Raises StoreError when it cannot be heard any more: ask for it again then."""
        ...
