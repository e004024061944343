"""Several things at the same time from a plain function: `map`, `parallel` and child contexts, whose bodies are plain, too.

What asyncio's `gather` is elsewhere is a `parallel` here.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import SyncContext, durable
from examples.run import run


def measure(sensor: str) -> int:
    return len(sensor)


def read(child: SyncContext, sensor: str) -> int:
    child.wait(timedelta(minutes=1), name="settles")
    return child.step(measure, sensor)


def greenhouse(child: SyncContext) -> int:
    values = child.map(["north", "roof"], read, max_concurrency=1)
    values.throw_if_error()
    return sum(values)


def field(child: SyncContext) -> int:
    return child.run_in_child_context(read, "hedge")


@durable
def survey(event: None, ctx: SyncContext) -> list[int]:
    places = ctx.parallel({"greenhouse": greenhouse, "field": field})
    places.throw_if_error()
    return places.get_results()


if __name__ == "__main__":
    run(survey, None)
