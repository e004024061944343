"""The table: what each example is given and what has to come of it, a module per topic."""

from __future__ import annotations

from tests.examples.row import Row
from tests.examples.rows import (
    advanced,
    callback,
    child_context,
    combinators,
    comprehensive,
    concurrency,
    context_validation,
    error_handling,
    invoke,
    logs,
    map,  # noqa: A004  # the topic's name
    parallel,
    replay_safe,
    saga,
    serde,
    simple,
    step,
    sync_handlers,
    versions,
    wait,
    wait_for_condition,
)

TABLE: list[Row] = [
    *simple.ROWS,
    *step.ROWS,
    *wait.ROWS,
    *wait_for_condition.ROWS,
    *callback.ROWS,
    *invoke.ROWS,
    *child_context.ROWS,
    *map.ROWS,
    *parallel.ROWS,
    *concurrency.ROWS,
    *combinators.ROWS,
    *error_handling.ROWS,
    *saga.ROWS,
    *serde.ROWS,
    *replay_safe.ROWS,
    *versions.ROWS,
    *logs.ROWS,
    *sync_handlers.ROWS,
    *context_validation.ROWS,
    *comprehensive.ROWS,
    *advanced.ROWS,
]
