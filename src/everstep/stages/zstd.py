"""Zstandard: of the standard library (Python 3.14 and later), else of the package zstandard.

Rule: what is read says its size at the start, and is refused before any memory is taken for it if that is too much.
"""

from __future__ import annotations

import sys
from typing import Protocol

from everstep.stages.extras import missing


class Zstd(Protocol):
    """Compresses and decompresses whole frames."""

    def compress(self, data: bytes, level: int) -> bytes: ...

    def decompress(self, data: bytes, max_bytes: int) -> bytes:
        """Raises ValueError if there is more than that, and an error of its own kind for what is no single whole frame."""
        ...


def load(needed_by: str) -> Zstd:
    """Raises UsageError if there is none."""
    if sys.version_info >= (3, 14):
        try:
            return OfTheLibrary()
        except ImportError:  # Python may be built without it
            pass
    try:
        return OfThePackage()
    except ImportError as error:
        raise missing("zstandard", extra="zstd", needed_by=needed_by) from error


class OfThePackage:
    def __init__(self) -> None:
        import zstandard

        self._zstd = zstandard

    def compress(self, data: bytes, level: int) -> bytes:
        return self._zstd.ZstdCompressor(level=level).compress(data)  # its objects are not for several threads at once

    def decompress(self, data: bytes, max_bytes: int) -> bytes:
        _check_size(self._zstd.frame_content_size(data), max_bytes)
        return self._zstd.ZstdDecompressor().decompress(data, allow_extra_data=False)


def _check_size(size: int, max_bytes: int) -> None:
    """size: as the frame says, below 0 if it doesn't."""
    if size < 0:
        raise ValueError("it does not say its size")
    if size > max_bytes:
        raise ValueError(f"decompressed it is {size:,} bytes, and {max_bytes:,} are allowed")


if sys.version_info >= (3, 14):

    class OfTheLibrary:
        def __init__(self) -> None:
            from compression import zstd

            self._zstd = zstd

        def compress(self, data: bytes, level: int) -> bytes:
            return self._zstd.compress(data, level)

        def decompress(self, data: bytes, max_bytes: int) -> bytes:
            size = self._zstd.get_frame_info(data).decompressed_size
            _check_size(-1 if size is None else size, max_bytes)
            window = {self._zstd.DecompressionParameter.window_log_max: min(max(max_bytes.bit_length(), 10), 31)}
            decompressor = self._zstd.ZstdDecompressor(options=window)
            text = decompressor.decompress(data, max_length=max_bytes + 1)
            if not decompressor.eof or decompressor.unused_data:
                raise ValueError("it is no single whole frame")
            return text
