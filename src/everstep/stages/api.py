"""What a stage is: it changes recorded text after the value was written as JSON, and back before the value is read.

Rule: what a stage writes is JSON itself, one object that names the stage (`{"everstep":"zstd",…}`), because the text of a
map's item stands inside the JSON of the map. What is not a stage's own it hands on unchanged, so a history that was begun
before the stage was configured stays readable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Where:
    """What the text belongs to. Encryption binds a text to it: moved to another operation, it can't be read."""

    execution_arn: str
    operation_id: str


class Stage(Protocol):
    """Changes text on its way to the record, and back.

    Both methods may be called from several threads. A stage whose attribute `blocks` is False computes and never waits for
    a disk or a network; others (and those that don't say) are called outside the event loop.
    """

    def write(self, text: str, where: Where) -> str:
        """The text to record. Raises SerializationError for good, ServiceError if another try may succeed."""
        ...

    def read(self, text: str, where: Where) -> str:
        """The text that `write` was given; unchanged if this stage did not write it. Raises as `write` does."""
        ...


def blocks(part: object) -> bool:
    """Whether a stage, or what one rests on, may wait for a disk or a network."""
    return bool(getattr(part, "blocks", True))
