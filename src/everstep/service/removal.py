"""Executions leave the store together: whoever comes while some are being deleted goes with the next ones.

Rule: a group is small, so that commits never wait for long behind it.
"""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import Final

from everstep.service.stores.api import Store, StoreError

MAX_GROUP: Final = 50


class Removal:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._is_at_work = False

    async def remove(self, execution_id: str) -> None:
        """Returns once the execution is gone. Raises StoreError."""
        gone = self._waiting.setdefault(execution_id, asyncio.get_running_loop().create_future())
        if not self._is_at_work:
            await self._work()
        await gone

    async def _work(self) -> None:
        """Whoever comes first does it for all."""
        self._is_at_work = True
        try:
            while self._waiting:
                await self._remove_group({one: self._waiting.pop(one) for one in list(islice(self._waiting, MAX_GROUP))})
        finally:
            self._is_at_work = False
            _fail(self._waiting, StoreError("the service is closing"))
            self._waiting = {}

    async def _remove_group(self, group: dict[str, asyncio.Future[None]]) -> None:
        try:
            await self._store.delete(list(group))
        except StoreError as error:
            _fail(group, error)
        except BaseException:
            _fail(group, StoreError("it is not known whether the execution was removed"))
            raise
        else:
            for gone in group.values():
                if not gone.done():
                    gone.set_result(None)


def _fail(group: dict[str, asyncio.Future[None]], error: StoreError) -> None:
    for gone in group.values():
        if not gone.done():
            gone.set_exception(error)
            gone.exception()  # who waited may have been cancelled: then nobody asks
