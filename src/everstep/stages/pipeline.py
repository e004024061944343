"""Stages one after another: in order when writing, reversed when reading.

Rule: a text is read by the marks that are on it, so a history outlives a change of the order of stages, or stages that
were added. A mark that no stage of the pipeline knows is an error, never a value. Writing makes a text unambiguous first.
"""

from __future__ import annotations

from everstep.errors import SerializationError
from everstep.stages.api import Stage, Where, blocks
from everstep.stages.envelope import escaped, is_envelope, is_escaped, marker_of, unescaped


class Pipeline:
    """A stage made of stages, which may be none. Usually: compress, encrypt, offload.

    stages: those of a pipeline among them take its place. blocks: whether any of them may wait for a disk or a network.
    """

    __slots__ = ("blocks", "stages")

    def __init__(self, *stages: Stage) -> None:
        self.stages: tuple[Stage, ...] = tuple(
            part for stage in stages for part in (stage.stages if isinstance(stage, Pipeline) else (stage,))
        )
        self.blocks: bool = any(map(blocks, self.stages))

    def __repr__(self) -> str:
        return f"Pipeline({', '.join(map(repr, self.stages))})"

    def write(self, text: str, where: Where) -> str:
        """See Stage."""
        if is_envelope(text):
            text = escaped(text)
        for stage in self.stages:
            text = stage.write(text, where)
        return text

    def read(self, text: str, where: Where) -> str:
        """See Stage. Raises SerializationError if a stage wrote the text that is not in this pipeline."""
        for _ in self.stages:  # once, unless the text was written in another order
            before = text
            for stage in reversed(self.stages):
                text = stage.read(text, where)
            if not is_envelope(text) or is_escaped(text) or text == before:
                break
        if is_escaped(text):
            return unescaped(text)
        if is_envelope(text):
            raise SerializationError(
                f'the record of operation {where.operation_id[:12]} was written by a stage "{marker_of(text)[:40]}", which is not '
                "configured here, or not so often. Keep a stage for reading until the last execution that it wrote for has ended."
            )
        return text
