"""What commands that serve run on: uvloop where it is installed, which takes half of what a request costs off, and a garbage
collector that stays out of the way.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Final, TypeVar

T = TypeVar("T")

COLLECT_AFTER: Final = (10_000, 20, 20)
"""See gc.set_threshold. With Python's own thresholds, of 700 objects, a sixth of a server's time went into looking for cycles, and
each process of ours makes few: what requests leave behind is freed without the collector."""


def run(main: Coroutine[object, object, T]) -> T:
    """As asyncio.run."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


def settle() -> None:
    """Everything is loaded now and stays: no collection looks at it any more, and they come less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # it does not exist for Windows
        return None
    return uvloop.new_event_loop
