"""Rows of examples/advanced."""

from __future__ import annotations

from datetime import timedelta

from examples.advanced import (
    checkpointing_batched,
    checkpointing_eager,
    checkpointing_optimistic,
    handler_error,
    large_payload,
    retry_exhaustion,
    with_retry,
)

from tests.examples.row import row

ROWS = [
    row(
        checkpointing_eager.change_scene,
        ["wall", "moon"],
        result=["wall moved", "moon moved"],
        operations=["Step move wall", "Step move moon"],
        took=timedelta(seconds=2),
    ),
    row(checkpointing_batched.light_street, 8, result=8, operations=["Step lamp 0 to 7"]),
    row(checkpointing_optimistic.count_words, " It was a dark night", result=5, operations=["Step normalise", "Step split", "Step count"]),
    row(handler_error.enrol, "chess", case="it returns", result="one of 8 seats", operations=["Step look_up"]),
    row(
        handler_error.enrol,
        "juggling",
        case="it raises",
        failure=("examples.advanced.handler_error.NoSuchCourse", "there is no course in juggling"),
        operations=["Step look_up"],
    ),
    row(
        large_payload.draw_map,
        3,
        result={"whole": "0" * 700_000 + "1" * 700_000 + "2" * 700_000},
        operations=["Step draw_all", "Step draw_to_disk", "Step tile 0 to 2"],
    ),
    row(
        retry_exhaustion.ring_up,
        "1234",
        failure=("examples.advanced.retry_exhaustion.LineBusy", "1234"),
        operations=["Step call"],
        took=timedelta(minutes=6),
    ),
    row(
        with_retry.set_up,
        "lathe",
        result="lathe programmed under lock 3",
        operations=[
            "RunInChildContext lock_and_program",
            "RunInChildContext attempt-1",
            "Step lock",
            "Wait warms up",
            "Step program",
            "Wait lock_and_program-backoff-1",
            "RunInChildContext attempt-2",
            "Step lock",
            "Wait warms up",
            "Step program",
            "Wait lock_and_program-backoff-2",
            "RunInChildContext attempt-3",
            "Step lock",
            "Wait warms up",
            "Step program",
        ],
        took=timedelta(minutes=21, seconds=30),
    ),
]
