"""Stages and serdes in whole executions: what is recorded, what comes back, and who pays when a store is away."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from everstep import Completion, DurableContext, JsonSerdes, Poll, ServiceError, StepError, configure
from everstep.handler import DurableHandler
from everstep.serdes import Serdes
from everstep.stages import Compressed, Directory, Encrypted, Offloaded, Stage, Where
from everstep.testing.virtual import run_virtually
from tests.support.loopback import AnyHandler, Loopback, Run

SECRET = "attack at dawn "


async def secret(times: int) -> str:
    return SECRET * times


async def grow(state: str) -> str:
    return state + SECRET


async def item(ctx: DurableContext, times: int) -> str:
    return await ctx.step(secret, times)


async def handler(event: object, ctx: DurableContext) -> list[object]:
    step = await ctx.step(secret, 200)
    await ctx.wait(1)
    condition = await ctx.wait_for_condition(grow, "", poll=Poll.fixed(lambda state: len(state) > 30, 1))
    child = await ctx.run_in_child_context(item, 2)
    nested = await ctx.map([1, 300], item)
    flat = await ctx.map([1, 2], item, nesting="flat", name="flat")
    large = await ctx.map([9_000, 9_000], item, completion=Completion.all_completed(), name="large")
    await ctx.wait(1)
    lengths = [len(value) for value in (*nested.get_results(), *flat.get_results(), *large.get_results())]
    return [len(step), condition, child, *lengths]


def run(stages: Sequence[Stage] | None, *, warm: bool) -> Run:
    async def main() -> Run:
        loopback = Loopback(DurableHandler(handler, stages=stages), warm=warm)
        done = await loopback.run()
        assert done.status == "SUCCEEDED", done.error
        assert (await loopback.replay()).result == done.result
        return done

    return run_virtually(main())


def texts(done: Run) -> list[str]:
    """All that is recorded of values."""
    details = (part for record in done.state.records.values() for part in (record.operation.step_details, record.operation.context_details))
    return [part.result for part in details if part is not None and part.result]


@pytest.mark.parametrize("warm", [True, False])
def test_compressed_encrypted_and_offloaded_values_come_back_as_they_were(tmp_path: Path, warm: bool) -> None:
    plain = run((), warm=warm)
    stages = (Compressed(), Encrypted({"k1": b"0" * 32}), Offloaded(Directory(tmp_path), above=200))

    staged = run(stages, warm=warm)

    assert staged.result == plain.result
    assert not [text for text in texts(staged) if "attack" in text]
    assert sum(map(len, texts(staged))) < sum(map(len, texts(plain))) / 10
    assert list(tmp_path.rglob("*.json*")) or list(tmp_path.rglob("*"))


def test_the_processs_stages_serve_handlers_that_say_nothing(tmp_path: Path) -> None:
    configure(stages=[Encrypted({"k1": b"0" * 32})])
    try:
        assert not [text for text in texts(run(None, warm=False)) if "attack" in text]
        assert [text for text in texts(run((), warm=False)) if "attack" in text]
    finally:
        configure()


class Away:
    """A store that can't be reached the first few times."""

    blocks = True

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def write(self, text: str, where: Where) -> str:
        del where
        if self.failures:
            self.failures -= 1
            raise ServiceError("the store is away", code="SlowDown", is_retryable=True)
        return text

    def read(self, text: str, where: Where) -> str:
        del where
        return text


def test_a_store_that_is_away_fails_the_invocation_and_not_the_step() -> None:
    attempts: list[int] = []

    async def body() -> int:
        attempts.append(1)
        return 7

    async def once(event: object, ctx: DurableContext) -> int:
        try:
            return await ctx.step(body)
        except StepError:
            return -1

    async def main() -> Run:
        loopback = Loopback(DurableHandler(once, stages=[Away(2)]))
        return await loopback.run()

    done = run_virtually(main())

    assert done.result == "7"
    assert len(attempts) == 3
    assert [event.type for event in done.events].count("StepFailed") == 0


class Shouting:
    """Writes strings in capitals."""

    def serialize(self, value: object) -> str:
        return JsonSerdes[object]().serialize(value).upper()

    def deserialize(self, text: str) -> object:
        return JsonSerdes[object]().deserialize(text)


def test_a_serdes_of_an_operation_of_a_handler_and_of_the_process() -> None:
    async def say() -> str:
        return "hello"

    async def speak(event: str, ctx: DurableContext) -> list[str]:
        return [event, await ctx.step(say), await ctx.step(say, serdes=JsonSerdes[str](str))]

    def shouting(annotation: object) -> Serdes[object]:
        del annotation
        return Shouting()

    async def main(made: AnyHandler) -> list[str]:
        done = await Loopback(made, '"hi"').run()
        assert done.result is not None
        return [*texts(done), done.result]

    in_capitals = ['"HELLO"', '"hello"', '["HI","HELLO","HELLO"]']
    assert run_virtually(main(DurableHandler(speak, serdes=shouting))) == in_capitals
    configure(serdes=shouting)
    try:
        assert run_virtually(main(DurableHandler(speak))) == in_capitals
    finally:
        configure()
