"""Defaults of a process: what handlers use that say nothing else.

Rule: the most specific setting wins and replaces the others: of the operation, of the handler, of the process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from everstep.serdes import Serdes

if TYPE_CHECKING:
    from everstep.stages import Stage

SerdesFactory: TypeAlias = Callable[[object], Serdes[object]]
"""Gives the serdes that writes and reads values of an annotation (`object` where there is none)."""


@dataclass(slots=True)
class Configuration:
    """serdes: makes the serdes of values; None: JSON by annotation. stages: what is done to recorded texts."""

    serdes: SerdesFactory | None = None
    stages: Sequence[Stage] = ()


process = Configuration()


def configure(*, serdes: SerdesFactory | None = None, stages: Sequence[Stage] = ()) -> None:
    """Set the defaults of this process, before any handler runs. Each call replaces what the last one set.

    serdes: (annotation) to the serdes for it, of results and of the handler's event and output. stages: what is done to the
    recorded texts of steps, conditions, child contexts, items and branches: compress, encrypt, offload; see everstep.stages.
    """
    process.serdes, process.stages = serdes, tuple(stages)
