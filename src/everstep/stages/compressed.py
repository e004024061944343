"""Smaller records: texts that compress well are recorded as Zstandard."""

from __future__ import annotations

from typing import Final

from everstep.errors import SerializationError, UsageError
from everstep.stages.api import Where
from everstep.stages.envelope import Envelope, Form, checked_text, exceeds, utf8
from everstep.stages.zstd import load


class _Compressed(Envelope, frozen=True, kw_only=True, tag="zstd"):
    data: bytes


_FORM: Final = Form(_Compressed)


class Compressed:
    """Compresses texts with Zstandard, where that makes them smaller. Needs everstep[zstd], or Python 3.14.

    level: 1 (fast) to 22 (small). above: bytes of text that are left as they are. max_bytes: of a text once it is
    decompressed; larger ones are not compressed, and refused when read, so that a record can't exhaust the memory.
    """

    blocks = False

    def __init__(self, *, level: int = 3, above: int = 1024, max_bytes: int = 64 * 1024 * 1024) -> None:
        if not 1 <= level <= 22:
            raise UsageError(f"level is {level}; it must lie between 1 and 22")
        if above < 0 or max_bytes < 1:
            raise UsageError(f"above is {above} and max_bytes is {max_bytes}; the least are 0 and 1")
        self.level, self.above, self.max_bytes = level, above, max_bytes
        self._zstd = load("Compressed")

    def __repr__(self) -> str:
        return f"Compressed(level={self.level}, above={self.above}, max_bytes={self.max_bytes})"

    def write(self, text: str, where: Where) -> str:
        """See Stage."""
        must = _FORM.wrote(text)  # left as it is, it would be decompressed when it is read
        if not must and not exceeds(text, self.above):
            return text
        data = utf8(text)
        if len(data) > self.max_bytes:
            if not must:
                return text
            raise SerializationError(f"a text of {len(data):,} bytes can't be compressed: raise Compressed(max_bytes={self.max_bytes})")
        compressed = _FORM.write(_Compressed(data=self._zstd.compress(data, self.level)))
        return compressed if must or len(compressed) < len(data) else text

    def read(self, text: str, where: Where) -> str:
        """See Stage."""
        if not _FORM.wrote(text):
            return text
        compressed = _FORM.read(text).data
        try:
            data = self._zstd.decompress(compressed, self.max_bytes)
        except Exception as error:  # of either library, and of their older versions
            raise SerializationError(
                f"the compressed record of operation {where.operation_id[:12]} can't be read: {error}. "
                f"It was damaged, or is larger than Compressed(max_bytes={self.max_bytes}) allows."
            ) from error
        return checked_text(data, f"the compressed record of operation {where.operation_id[:12]}")
