"""A logger for handler code: the standard library's, silent on replay, knowing where it stands.

Rule: what a handler logged before is not logged again when it is replayed; a step's body always logs, for it runs only
when it has not run before. No logger but our own is touched, and that one only on AWS Lambda and in workers, where it writes
JSON lines; unless `for_all_loggers` is called.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Protocol, cast

from everstep.step_context import current_step

FIELDS = ("executionArn", "requestId", "parentId", "operationId", "operationName", "attempt")
"""What a record carries besides the message. Names: the official SDKs'."""


class Standing(Protocol):
    """What the logger asks of the engine."""

    @property
    def is_replaying(self) -> bool: ...

    @property
    def log_fields(self) -> Mapping[str, object]: ...


class DurableLogger(logging.LoggerAdapter[logging.Logger]):
    """`ctx.logger`. Records carry executionArn, and where they apply requestId, operationId, operationName, attempt."""

    def __init__(self, logger: logging.Logger, standing: Standing, context_id: str | None) -> None:
        super().__init__(logger, None)
        self._standing = standing
        self._context_id = context_id

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802  # logging's name
        """Whether a record of that level would be written: not while the code is replayed."""
        if current_step.get(None) is None and self._standing.is_replaying:
            return False
        return self.logger.isEnabledFor(level)

    def process(self, msg: object, kwargs: MutableMapping[str, object]) -> tuple[object, MutableMapping[str, object]]:
        fields: dict[str, object] = dict(self._standing.log_fields)
        step = current_step.get(None)
        if step is not None:
            fields |= step.log_fields
        elif self._context_id is not None:
            fields["operationId"] = self._context_id
        given = cast("Mapping[str, object] | None", kwargs.get("extra"))
        kwargs["extra"] = fields | dict(given or {})
        return msg, kwargs


def for_all_loggers() -> None:
    """From now on in this process, every logger does as `ctx.logger` does: silent on replay, with the same fields on its records.

    Loggers, handlers and formatters stay as they are, and may be configured before or after. Called again, it does nothing.
    """
    from everstep.runtime.records import Records

    make = logging.getLogRecordFactory()
    if not isinstance(make, Records):
        logging.setLogRecordFactory(Records(make, frozenset(FIELDS)))


class JsonLines(logging.Formatter):
    """One JSON object per record, with everything that the record carries at its top level."""

    _USUAL = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {"message", "asctime", "taskName"}

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
        }
        line |= {name: value for name, value in vars(record).items() if name not in self._USUAL}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def handler_logger() -> logging.Logger:
    """The logger that handler code writes to: `everstep.handler`, which users configure as any other."""
    logger = logging.getLogger("everstep.handler")
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ and not logger.handlers:
        log_json_lines()
    return logger


def log_json_lines() -> None:
    """Have handlers log to standard output, a JSON line for each record, as on AWS Lambda."""
    logger = logging.getLogger("everstep.handler")
    lines = logging.StreamHandler(sys.stdout)
    lines.setFormatter(JsonLines())
    logger.addHandler(lines)
    logger.propagate = False
    if logger.level == logging.NOTSET:
        logger.setLevel(os.environ.get("AWS_LAMBDA_LOG_LEVEL", "INFO"))
