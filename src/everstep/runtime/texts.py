"""The recorded texts of one execution: what stages do to them, and what other SDKs wrote.

Rule: an ordinary text costs one look at its beginning. A stage that can't reach its store fails the invocation, so that the
service tries again, and never the step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from everstep.errors import ServiceError

if TYPE_CHECKING:
    from everstep.stages import Pipeline, Stage, Where

_MARKED = ('{"t":"', '{"everstep":"')
"""How a text begins that another SDK or a stage may have written (or one of ours that looks like it)."""


class Texts:
    """Writes and reads the texts of an execution's operations."""

    __slots__ = ("_arn", "_fail", "_pipeline", "_stages")

    def __init__(self, arn: str, stages: Sequence[Stage], fail: Callable[[BaseException], None]) -> None:
        """fail: ends the invocation, which is tried again."""
        self._arn = arn
        self._stages = tuple(stages)
        self._fail = fail
        self._pipeline: Pipeline | None = None

    def release(self) -> None:
        """The invocation is over: nothing can fail it any more."""
        self._fail = nothing_to_end

    @property
    def blocks(self) -> bool:
        """Whether writing may wait for a disk or a network."""
        return bool(self._stages) and self._made().blocks

    def write(self, text: str, operation_id: str) -> str:
        """The text as it is recorded. Raises SerializationError, or ServiceError if it may work later."""
        if not self._stages and not text.startswith(_MARKED):
            return text
        return self._made().write(text, self._where(operation_id))

    def read(self, text: str, operation_id: str) -> str:
        """The text as it was written. Raises SerializationError."""
        if not text.startswith(_MARKED):
            return text
        try:
            return self._made().read(text, self._where(operation_id))
        except ServiceError as error:
            self._fail(error)
            raise

    def _made(self) -> Pipeline:
        if self._pipeline is None:
            from everstep.official_envelope import OfficialPython
            from everstep.stages import Pipeline

            self._pipeline = Pipeline(OfficialPython(), *self._stages)
        return self._pipeline

    def _where(self, operation_id: str) -> Where:
        from everstep.stages import Where

        return Where(self._arn, operation_id)


def plain_batch(text: str) -> str:
    """The recorded text of a batch in our form, whoever wrote it."""
    if text.startswith('{"t":"'):
        from everstep.official_envelope import plain_text

        return plain_text(text) or text
    return text


def nothing_to_end(error: BaseException) -> None:
    """How to fail outside an invocation: whoever reads gets the error itself."""
