"""The histories of executions as timelines, kept and brought up to date by what is new.

Rule: whoever asks asks the API in his own name, each time; but of a history that is kept, only the events that came since are read.
What is kept is bounded by operations, and the least recently shown goes first.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from everstep.console.api import HISTORY_PAGE, Api
from everstep.console.timeline import Event, Telling, Timeline, number

ROOM: Final = 20_000
"""Operations of all that is kept; each takes about a kilobyte."""
NEWS: Final = 50
"""Events that are asked for when few are expected."""


class _Kept:
    """reading: held while it is brought up to date."""

    def __init__(self) -> None:
        self.telling = Telling()
        self.seen = 0
        self.reading = asyncio.Lock()

    def add(self, events: Sequence[Event]) -> None:
        for event in events:
            self.telling.tell(event)
            self.seen = int(number(event.get("EventId")))


class Histories:
    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def whole(self, api: Api, arn: str) -> Timeline:
        """Up to now. Raises Refused."""
        return (await self._told(api, arn, None))[0]

    async def beginning(self, api: Api, arn: str, size: int) -> tuple[Timeline, bool]:
        """Of the first `size` events at least, in one call; and whether that is all. Raises Refused."""
        return await self._told(api, arn, size)

    async def _told(self, api: Api, arn: str, size: int | None) -> tuple[Timeline, bool]:
        kept = self._kept.get(arn)
        if kept is None:
            kept = _Kept()
            page = await api.history(arn, size=size or HISTORY_PAGE)
            kept.add(page.events)
            if page.next_marker is not None and size is not None:
                return kept.telling.timeline(), False
            while page.next_marker is not None:
                page = await api.history(arn, marker=page.next_marker)
                kept.add(page.events)
        else:
            async with kept.reading:
                kept.add(await _news(api, arn, kept.seen))
        self._kept[arn] = kept
        self._kept.move_to_end(arn)
        self._make_room()
        return kept.telling.timeline(), True

    def _make_room(self) -> None:
        while len(self._kept) > 1 and sum(kept.telling.size for kept in self._kept.values()) > self._room:
            self._kept.popitem(last=False)


async def _news(api: Api, arn: str, seen: int) -> list[Event]:
    """What came after the event `seen`."""
    news: list[Event] = []
    page = await api.history(arn, size=NEWS, newest_first=True)
    while True:
        unseen = [event for event in page.events if number(event.get("EventId")) > seen]
        news += unseen
        if page.next_marker is None or len(unseen) < len(page.events):
            return news[::-1]
        page = await api.history(arn, marker=page.next_marker, newest_first=True)
