"""How the server writes its log: as text, in brief for whoever looks on, or as JSON lines, to standard error.

Rule: one handler for everything that is logged in the process, handlers' and uvicorn's lines too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias

from everstep.logging import JsonLines
from everstep.service.log_context import log_fields

LogFormat: TypeAlias = Literal["text", "brief", "json"]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]

_LINE: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
FIELDS: Final = ("apiRequestId", "operation", "function", "executionArn", "requestId")
"""What records may carry. requestId: of the invocation, as in handlers' logs. apiRequestId: of the HTTP request, its x-amzn-RequestId."""


def configure(log_format: LogFormat, level: LogLevel) -> None:
    number = logging.getLevelNamesMapping()[level.upper()]
    handler = logging.StreamHandler()
    handler.setFormatter(_FORMATTERS[log_format]())
    handler.addFilter(_add_fields)
    logging.basicConfig(level=number, handlers=[handler], force=True)
    if level != "debug":
        for name in ("uvicorn", "httpx"):  # what they say of themselves is not the server's news
            logging.getLogger(name).setLevel(max(number, logging.WARNING))


def _add_fields(record: logging.LogRecord) -> bool:
    for name, value in log_fields().items():
        if not hasattr(record, name):
            setattr(record, name, value)
    return True


class _Text(logging.Formatter):
    def __init__(self) -> None:
        super().__init__(_LINE)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        fields = ", ".join(f"{name}={value}" for name in FIELDS if (value := getattr(record, name, None)) is not None)
        return super().formatMessage(record) + (f" [{fields}]" if fields else "")


class _Brief(logging.Formatter):
    """The time of day, and of an execution its name, which stands in front of its id in the ARN."""

    def __init__(self) -> None:
        super().__init__(_LINE, "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        name = str(getattr(record, "executionArn", "")).partition("/durable-execution/")[2].partition("/")[0]
        return super().formatMessage(record) + (f" [{name}]" if name else "")


_FORMATTERS: Final[Mapping[LogFormat, Callable[[], logging.Formatter]]] = {"text": _Text, "brief": _Brief, "json": JsonLines}
