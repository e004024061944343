"""A clock that is moved by hand, and durable functions that speak the protocol by hand."""

from __future__ import annotations

import asyncio
import heapq
import json
from collections.abc import Awaitable, Callable, Coroutine
from hashlib import blake2b
from itertools import count
from typing import TypeVar

from everstep.client.api import Checkpointed, DurableClient
from everstep.client.function import Invocation
from everstep.protocol.shapes import (
    CallbackOptions,
    ChainedInvokeOptions,
    ErrorObject,
    InvocationOutput,
    Operation,
    OperationAction,
    OperationUpdate,
    StepOptions,
    WaitOptions,
)

T = TypeVar("T")

NOON = 1_764_849_600_000
PENDING = InvocationOutput(status="PENDING")


class ManualClock:
    """Stands still until it is moved."""

    def __init__(self, now: int = NOON) -> None:
        self.now = now
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = count()

    def now_ms(self) -> int:
        return self.now

    async def sleep_until(self, at_ms: int) -> None:
        if at_ms > self.now:
            waker = asyncio.get_running_loop().create_future()
            heapq.heappush(self._sleepers, (at_ms, next(self._numbers), waker))
            await waker

    @property
    def alarms(self) -> list[int]:
        """Until when somebody sleeps, earliest first."""
        self._sleepers = sorted(sleeper for sleeper in self._sleepers if not sleeper[2].done())
        return [at for at, _, _ in self._sleepers]

    def move(self, *, seconds: float = 0, ms: int = 0) -> None:
        self.now += round(seconds * 1000) + ms
        while self._sleepers and self._sleepers[0][0] <= self.now:
            waker = heapq.heappop(self._sleepers)[2]
            if not waker.done():
                waker.set_result(None)


async def eventually(condition: Callable[[], bool], what: str = "it") -> None:
    """Let the service work until the condition holds. Only stores with a thread of their own take real time."""
    for turn in range(5_000):
        if condition():
            return
        await asyncio.sleep(0 if turn < 500 else 0.001)
    raise AssertionError(f"{what} did not happen: {condition}")


async def settled() -> None:
    """Let everything run that can, with a store that needs no thread."""
    for _ in range(60):
        await asyncio.sleep(0)


class Run:
    """One invocation in the hands of a scripted handler: sends updates and keeps the token."""

    def __init__(self, invocation: Invocation, client: DurableClient, number: int) -> None:
        self.invocation, self.client, self.number = invocation, client, number
        self.token: str | None = invocation.checkpoint_token
        self.state: dict[str, Operation] = dict(invocation.operations)
        self._client_tokens = count()

    @property
    def input(self) -> object:
        details = next(iter(self.state.values())).execution_details
        return json.loads(details.input_payload) if details and details.input_payload else None

    async def send(self, *updates: OperationUpdate) -> Checkpointed:
        assert self.token is not None
        client_token = f"{self.invocation.request_id}-{next(self._client_tokens)}"
        answer = await self.client.checkpoint(self.invocation.arn, self.token, updates, client_token)
        self.token = answer.token
        self.state.update((operation.id, operation) for operation in answer.operations)
        return answer

    async def step(self, name: str, body: Callable[[], object]) -> object:
        """A step as an SDK would run it: not again if it is recorded."""
        known = self.state.get(hashed(name))
        if known is None:
            await self.send(step(name, "START"))
        if known is None or known.status == "STARTED":
            await self.send(step(name, "SUCCEED", payload=json.dumps(body())))
        details = self.state[hashed(name)].step_details
        assert details is not None
        return json.loads(details.result or "null")

    async def pause(self, name: str, seconds: int) -> bool:
        """Begin a wait unless it is recorded; whether it is over."""
        if hashed(name) not in self.state:
            await self.send(wait(name, seconds))
        return self.state[hashed(name)].status == "SUCCEEDED"

    async def callback(self, name: str, timeout_s: int | None = None) -> Operation:
        if hashed(name) not in self.state:
            options = CallbackOptions(timeout_seconds=timeout_s)
            await self.send(OperationUpdate(id=hashed(name), type="CALLBACK", action="START", name=name, callback_options=options))
        return self.state[hashed(name)]

    async def invoke(self, name: str, function: str, payload: object = None) -> Operation:
        if hashed(name) not in self.state:
            await self.send(chained_invoke(name, function, json.dumps(payload)))
        return self.state[hashed(name)]


Handler = Callable[[Run], Coroutine[object, object, object]]


class Fake:
    """A DurableFunction whose handler returns an InvocationOutput, or a value with which the execution succeeds."""

    def __init__(self, handler: Handler, name: str | None = None) -> None:
        self.name = name or handler.__name__
        self.handler = handler
        self.invocations = 0
        self.outputs: list[object] = []

    def encode_input(self, value: object) -> str:
        return json.dumps(value)

    def decode_output(self, text: str | None) -> object:
        return None if text is None else json.loads(text)

    def drop_parked(self) -> None:
        pass

    async def invoke(self, invocation: Invocation, client: DurableClient) -> InvocationOutput:
        self.invocations += 1
        output = await self.handler(Run(invocation, client, self.invocations))
        self.outputs.append(output)
        if isinstance(output, InvocationOutput):
            return output
        return InvocationOutput(status="SUCCEEDED", result=json.dumps(output))


def fake(handler: Handler) -> Fake:
    return Fake(handler)


def hashed(name: str) -> str:
    return blake2b(name.encode()).hexdigest()[:64]


def step(
    name: str, action: OperationAction, *, payload: str | None = None, error: ErrorObject | None = None, delay_s: int | None = None
) -> OperationUpdate:
    options = None if delay_s is None else StepOptions(next_attempt_delay_seconds=delay_s)
    return OperationUpdate(id=hashed(name), type="STEP", action=action, name=name, payload=payload, error=error, step_options=options)


def wait(name: str, seconds: int) -> OperationUpdate:
    return OperationUpdate(id=hashed(name), type="WAIT", action="START", name=name, wait_options=WaitOptions(wait_seconds=seconds))


def chained_invoke(name: str, function: str, payload: str | None = None) -> OperationUpdate:
    options = ChainedInvokeOptions(function_name=function)
    return OperationUpdate(
        id=hashed(name), type="CHAINED_INVOKE", action="START", name=name, payload=payload, chained_invoke_options=options
    )


async def played_out(clock: ManualClock, outcome: Awaitable[T], *, until: int = NOON + 86_400_000) -> T:
    """The outcome, with the clock moved from alarm to alarm; no further than `until`, lest executions time out."""
    task = asyncio.ensure_future(outcome)
    while not task.done():
        await settled()
        upcoming = [alarm for alarm in clock.alarms if alarm <= until]
        if upcoming:
            clock.move(ms=upcoming[0] - clock.now)
        elif not task.done():
            await asyncio.sleep(0.001)
    return await task
