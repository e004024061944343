"""What handlers in the server's process log, in the files where the output of other functions' processes goes.

Rule: a record that `ctx.logger` made belongs to the function in its executionArn and is one JSON line in that function's file,
as a process of its own would have written it. Records of other loggers name no execution, and stay the server's.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from everstep.logging import JsonLines, handler_logger
from everstep.server.references import LATEST

_FUNCTION: Final = re.compile(r"[^/]*:function:(?P<name>[^:/]+):(?P<version>[^:/]+)/.*")


def log_file(directory: Path, function: str, version: str) -> Path:
    """Where the output of a version of a function goes."""
    return directory / f"{function if version == LATEST else f'{function}-{version}'}.log"


@contextmanager
def logging_to(directory: Path) -> Generator[None]:
    """While the block runs, what handlers of this process log goes to the directory and nowhere else."""
    logger = handler_logger()
    files = _FunctionFiles(directory)
    before = logger.propagate, logger.level
    logger.addHandler(files)
    logger.propagate = False
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(files)
        logger.propagate, level = before
        logger.setLevel(level)
        files.close()


class _FunctionFiles(logging.Handler):
    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.setFormatter(JsonLines())
        self._directory = directory
        self._open: dict[Path, TextIO] = {}

    def emit(self, record: logging.LogRecord) -> None:
        try:
            function = _FUNCTION.fullmatch(str(getattr(record, "executionArn", "")))
            if function is None:
                return
            path = log_file(self._directory, function["name"], function["version"])
            if path not in self._open:
                self._open[path] = path.open("a", buffering=1)
            self._open[path].write(self.format(record) + "\n")
        except Exception:  # a full disk, say; as every handler of the standard library does
            self.handleError(record)

    def close(self) -> None:
        for file in self._open.values():
            file.close()
        self._open.clear()
        super().close()
