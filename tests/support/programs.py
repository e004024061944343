"""Random handlers: programs as data, a hypothesis strategy that makes them, and the handler that carries one out.

Durations come in magnitudes that lie far apart (seconds, hours, months), so that a crash, which costs seconds, can't turn
the outcome of a race or a timeout: every run of a program has to give the same result.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from hypothesis import strategies as st

import everstep
from everstep import Completion, DurableContext, OperationError, Retry, get_step_context
from tests.support.handlers import JsonValue

Result: TypeAlias = object

SHORT, LONG, LONGER = 3, 40_000, 4_000_000


@dataclass(frozen=True)
class Step:
    """A step that fails `failures` times before it returns `value`. seconds: what its body takes."""

    value: int
    failures: int = 0
    seconds: float = 0
    at_most_once: bool = False
    plain: bool = False


@dataclass(frozen=True)
class Broken:
    """A step that always fails, with two attempts."""

    message: str


@dataclass(frozen=True)
class Wait:
    seconds: int
    with_asyncio: bool = False


@dataclass(frozen=True)
class Callback:
    """A callback that the outside completes after so many seconds."""

    seconds: int
    fails: bool = False
    with_submitter: bool = False


@dataclass(frozen=True)
class InTurn:
    """Parts one after the other."""

    parts: tuple[Program, ...]


@dataclass(frozen=True)
class Together:
    """Parts that run concurrently, in one of asyncio's ways."""

    parts: tuple[Program, ...]
    how: Literal["gather", "group", "tasks"]


@dataclass(frozen=True)
class Race:
    """The first of the parts that ends; the others are cancelled. Magnitudes make it clear which."""

    winner: Program
    loser: Program


@dataclass(frozen=True)
class Timeout:
    """A part under a time limit that either is never reached or always is."""

    part: Program
    is_reached: bool
    with_wait_for: bool = False


@dataclass(frozen=True)
class Child:
    part: Program


@dataclass(frozen=True)
class Batch:
    """A map (over the parts) or a parallel."""

    parts: tuple[Program, ...]
    is_map: bool
    max_concurrency: int | None = None


@dataclass(frozen=True)
class FirstOf:
    """A parallel that is complete with its first success, while the other branch would take months."""

    winner: Program


@dataclass(frozen=True)
class Caught:
    """A part whose failure is caught."""

    part: Program


@dataclass(frozen=True)
class HandOver:
    """A task that feeds another through a queue."""

    first: Program
    second: Program


Program: TypeAlias = Step | Broken | Wait | Callback | InTurn | Together | Race | Timeout | Child | Batch | FirstOf | Caught | HandOver

_short_steps = st.builds(
    Step,
    st.integers(0, 99),
    failures=st.sampled_from((0, 0, 0, 1, 2)),
    seconds=st.sampled_from((0, 0, 0.5, 2)),
    at_most_once=st.sampled_from((False, False, True)),
)
_leaves = st.one_of(
    _short_steps,
    st.builds(Wait, st.integers(1, SHORT), st.booleans()),
    st.builds(Callback, st.integers(0, SHORT), fails=st.just(False), with_submitter=st.booleans()),
    st.builds(
        Caught, st.one_of(st.builds(Broken, st.sampled_from(("no", "nö"))), st.builds(Callback, st.integers(0, SHORT), fails=st.just(True)))
    ),
)


def _grow(parts: st.SearchStrategy[Program]) -> st.SearchStrategy[Program]:
    several = st.lists(parts, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.builds(InTurn, several),
        st.builds(Together, several, st.sampled_from(("gather", "group", "tasks"))),
        st.builds(Race, parts, st.builds(Wait, st.just(LONGER), st.booleans())),
        st.builds(Race, parts, st.builds(Callback, st.just(LONGER))),
        st.builds(Timeout, parts, st.just(False), st.booleans()),
        st.builds(Timeout, st.builds(Wait, st.just(LONGER), st.booleans()), st.just(True), st.booleans()),
        st.builds(Child, parts),
        st.builds(Batch, several, st.booleans(), st.sampled_from((None, 1, 2))),
        st.builds(FirstOf, parts),
        st.builds(Caught, st.builds(InTurn, st.tuples(parts, st.builds(Broken, st.just("at last"))))),
        st.builds(HandOver, parts, parts),
    )


def programs() -> st.SearchStrategy[Program]:
    """Programs of a few dozen operations at most."""
    return st.recursive(_leaves, _grow, max_leaves=8)


@dataclass
class Ledger:
    """What really ran: how often each attempt of each step began and ended."""

    began: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    ended: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    at_most_once: set[str] = field(default_factory=set[str])


class Flaky(Exception):
    """A failure that passes."""


class Runner:
    """Carries out a program on a context."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.order: list[str] = []
        """What was seen to end, in the order in which it was: part of the handler's state, so of every replay's."""

    async def run(self, program: Program, ctx: DurableContext) -> Result:
        try:
            return await self._run(program, ctx)
        finally:
            self.order.append(repr(program)[:40])

    async def _run(self, program: Program, ctx: DurableContext) -> Result:
        match program:
            case Step():
                return await self._step(program, ctx)
            case Broken(message):
                return await ctx.step(self._broken, message, retry=Retry.fixed(1, max_attempts=2))
            case Wait(seconds, with_asyncio):
                await (asyncio.sleep(seconds) if with_asyncio else ctx.wait(seconds))
                return f"waited {seconds}"
            case Callback(with_submitter=True):
                name = callback_name(program)
                return await ctx.wait_for_callback(self._submit, name=name, returns=str)
            case Callback():
                callback = await ctx.create_callback(returns=str, name=callback_name(program))
                return await callback
            case InTurn(parts):
                return [await self.run(part, ctx) for part in parts]
            case Together(parts, how):
                return await self._together([self._later(part, ctx) for part in parts], how)
            case Race(winner, loser):
                return await self._race(winner, loser, ctx)
            case Timeout():
                return await self._timeout(program, ctx)
            case Child(part):
                return await ctx.run_in_child_context(self.apart, part)
            case Batch(parts, is_map, max_concurrency):
                return await self._batch(parts, is_map, max_concurrency, ctx)
            case FirstOf(winner):
                first = await ctx.parallel([self._branch(winner), self._branch(Wait(LONGER))], completion=Completion.first_successful())
                return [first.completion_reason, [item.status for item in first.all], first.get_results()]
            case Caught(part):
                try:
                    return await self.run(part, ctx)
                except OperationError as error:
                    return [type(error).__name__, isinstance(error, Flaky), error.message]
            case HandOver(first, second):
                return await self._hand_over(first, second, ctx)

    # -- parts -----------------------------------------------------------------

    async def apart(self, child: DurableContext, part: Program) -> Result:
        """Run a part in a context of its own, which replays on its own: with an order of its own."""
        runner = Runner(self._ledger)
        return {"value": await runner.run(part, child), "order": runner.order}

    def _later(self, part: Program, ctx: DurableContext) -> Callable[[], Awaitable[Result]]:
        return lambda: self.run(part, ctx)

    async def _together(self, parts: Sequence[Callable[[], Awaitable[Result]]], how: str) -> Result:
        async def part(make: Callable[[], Awaitable[Result]]) -> Result:
            return await make()

        if how == "gather":
            return list(await asyncio.gather(*(part(make) for make in parts)))
        if how == "group":
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(part(make)) for make in parts]
            return [task.result() for task in tasks]
        tasks = [asyncio.create_task(part(make)) for make in parts]
        done, left = await everstep.wait(tasks)
        assert not left
        return [task.result() for task in done]

    async def _as_coroutine(self, part: Program, ctx: DurableContext) -> Result:
        return await self.run(part, ctx)

    async def _race(self, winner: Program, loser: Program, ctx: DurableContext) -> Result:
        tasks: list[asyncio.Future[Result]] = [asyncio.create_task(self._as_coroutine(part, ctx)) for part in (loser, winner)]
        done, left = await everstep.wait(tasks, return_when="FIRST_COMPLETED")
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        return [*(tasks.index(task) for task in done), *(task.result() for task in done)]

    async def _timeout(self, program: Timeout, ctx: DurableContext) -> Result:
        seconds = LONG if program.is_reached else LONGER * 2
        try:
            if program.with_wait_for:
                return await asyncio.wait_for(self.run(program.part, ctx), seconds)
            async with asyncio.timeout(seconds):
                return await self.run(program.part, ctx)
        except TimeoutError:
            return "timed out"

    async def _batch(self, parts: Sequence[Program], is_map: bool, max_concurrency: int | None, ctx: DurableContext) -> Result:
        if is_map:
            batch = await ctx.map(parts, self.apart, max_concurrency=max_concurrency)
        else:
            batch = await ctx.parallel([self._branch(part) for part in parts], max_concurrency=max_concurrency)
        return [batch.completion_reason, *([item.status, item.result, item.error and item.error.message] for item in batch.all)]

    def _branch(self, part: Program) -> Callable[[DurableContext], Awaitable[Result]]:
        return lambda branch: self.apart(branch, part)

    async def _hand_over(self, first: Program, second: Program, ctx: DurableContext) -> Result:
        queue: asyncio.Queue[Result] = asyncio.Queue()
        ready = asyncio.Event()

        async def feed() -> None:
            queue.put_nowait(await self.run(first, ctx))
            ready.set()

        feeder = asyncio.create_task(feed())
        await ready.wait()
        got = [await queue.get(), await self.run(second, ctx)]
        await feeder
        return got

    # -- bodies ----------------------------------------------------------------

    async def _step(self, program: Step, ctx: DurableContext) -> Result:
        return await ctx.step(
            self._work,
            program,
            name=f"step-{program.value}",
            retry=Retry.fixed(1, max_attempts=12),
            semantics="at_most_once" if program.at_most_once else "at_least_once",
        )

    async def _work(self, program: Step) -> int:
        with self._noted():
            if program.at_most_once:
                self._ledger.at_most_once.add(get_step_context().operation_id)
            if program.seconds:
                await asyncio.sleep(program.seconds)
            if get_step_context().attempt <= program.failures:
                raise Flaky(f"{program.value} is not ready")
            return program.value

    async def _broken(self, message: str) -> None:
        with self._noted():
            raise Flaky(message)

    async def _submit(self, callback_id: str) -> None:
        with self._noted():
            pass

    def _noted(self) -> _Noted:
        return _Noted(self._ledger)


class _Noted:
    """Counts an attempt's beginning and its end, unless it is cut off."""

    def __init__(self, ledger: Ledger) -> None:
        step = get_step_context()
        self._key = (step.operation_id, step.attempt)
        self._ledger = ledger
        ledger.began[self._key] += 1

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or issubclass(kind, Exception):
            self._ledger.ended[self._key] += 1


def without_order(result: JsonValue) -> JsonValue:
    """A result, as JSON, without the orders in which things ended: those may differ where a crash delayed some of them."""
    match result:
        case {"value": value, "order": _}:
            return without_order(value)
        case list():
            return [without_order(part) for part in result]
        case _:
            return result


def callback_name(program: Callback) -> str:
    """How the outside knows what to do with a callback: "<seconds>-<ok or fail>"."""
    return f"{program.seconds}-{'fail' if program.fails else 'ok'}"
