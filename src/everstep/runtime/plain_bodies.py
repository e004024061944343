"""The plain bodies of one execution that run in threads, and whether more of them are about to come back.

Rule: what short bodies came to travels together, so a checkpoint waits while one is about to end: while one was begun just now,
or has not been begun although it was handed over just now. Those that take long hold nobody up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from time import monotonic

from everstep.threads import for_steps

_SHORT_S = 0.002
"""How long a body that runs is expected to end any moment."""
_BEGUN_WITHIN_S = 0.01
"""How long a body that was handed over is expected to be begun any moment."""


class PlainBodies:
    """Those under way."""

    __slots__ = ("_begun_until", "_short_until", "_under_way", "_waiting")

    def __init__(self) -> None:
        self._under_way: set[asyncio.Future[object]] = set()
        self._waiting: set[object] = set()
        self._begun_until = self._short_until = 0.0

    def __bool__(self) -> bool:
        return bool(self._under_way)

    def run(self, host: asyncio.AbstractEventLoop, call: Callable[[], object]) -> asyncio.Future[object]:
        """Hand a body over. What it comes to is there when it has `come_back`."""
        ticket = object()
        self._waiting.add(ticket)
        self._begun_until = monotonic() + _BEGUN_WITHIN_S
        body = host.run_in_executor(for_steps, partial(self._call, ticket, call))
        self._under_way.add(body)
        return body

    def come_back(self, body: asyncio.Future[object]) -> None:
        """What it came to is about to be sent, or of no interest any more."""
        self._under_way.discard(body)

    def ends_soon(self) -> bool:
        """Whether one that is under way is about to come back."""
        if not self._under_way:
            return False
        now = monotonic()
        return now < self._short_until or (bool(self._waiting) and now < self._begun_until)

    def _call(self, ticket: object, call: Callable[[], object]) -> object:
        """In the thread."""
        self._waiting.discard(ticket)
        self._short_until = monotonic() + _SHORT_S
        return call()
