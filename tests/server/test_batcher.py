"""What workers say together: how calls gather, and what becomes of them when a request fails."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from everstep.server.batcher import MANY, MAX_BYTES, REQUESTS, Batcher
from everstep.server.together import Message, Outcome, Reply


def outcome(name: str, size: int = 1) -> Outcome:
    return Outcome(name, "response", b"x" * size)


class Wire:
    """What was sent; each request is answered when it is let."""

    def __init__(self) -> None:
        self.sent: list[list[str]] = []
        self._answers: list[asyncio.Future[None]] = []

    async def send(self, messages: Sequence[Message]) -> Sequence[Reply]:
        names = [message.request_id for message in messages if isinstance(message, Outcome)]
        self.sent.append(names)
        self._answers.append(asyncio.get_running_loop().create_future())
        await self._answers[-1]
        return [Reply(200, name.encode()) for name in names]

    def answer(self, number: int) -> None:
        self._answers[number].set_result(None)

    def fail(self, number: int) -> None:
        self._answers[number].set_exception(ConnectionError("cut"))

    async def after(self, requests: int) -> None:
        while len(self.sent) < requests:  # noqa: ASYNC110  # turns of the loop, not time
            await asyncio.sleep(0)


async def test_calls_gather_while_requests_are_under_way_and_each_gets_its_reply() -> None:
    wire = Wire()
    batcher = Batcher(wire.send)
    calls: list[asyncio.Task[Reply]] = []
    for number in range(REQUESTS):
        calls.append(asyncio.create_task(batcher.call(outcome(f"first{number}"))))
        await wire.after(number + 1)
    calls += [asyncio.create_task(batcher.call(outcome(name))) for name in ("a", "b", "c")]
    await asyncio.sleep(0)
    assert len(wire.sent) == REQUESTS

    wire.answer(0)
    await wire.after(REQUESTS + 1)
    for number in range(1, REQUESTS + 1):
        wire.answer(number)

    assert wire.sent[-1] == ["a", "b", "c"]
    assert [(await call).body for call in calls] == [b"first0", b"first1", b"a", b"b", b"c"]


async def test_closed_it_begins_nothing_more_and_leaves_nobody_waiting() -> None:
    wire = Wire()
    batcher = Batcher(wire.send)
    calls: list[asyncio.Task[Reply]] = []
    for number in range(REQUESTS + 2):
        calls.append(asyncio.create_task(batcher.call(outcome(str(number)))))
        await wire.after(min(number + 1, REQUESTS))
    await batcher.close()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert all(isinstance(one, ConnectionError) for one in outcomes)
    assert len(wire.sent) == REQUESTS
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_calls_of_one_turn_of_the_loop_leave_together_up_to_a_size_and_without_those_that_were_given_up() -> None:
    wire = Wire()
    batcher = Batcher(wire.send)
    calls = [asyncio.create_task(batcher.call(outcome(name))) for name in ("a", "b")]
    calls.append(asyncio.create_task(batcher.call(outcome("large", MAX_BYTES))))
    await asyncio.sleep(0)
    calls[0].cancel()
    await wire.after(2)
    for number in range(2):
        wire.answer(number)

    assert [(await call).body for call in calls[1:]] == [b"b", b"large"]
    assert wire.sent == [["b"], ["large"]]


async def test_many_calls_share_the_requests_equally_however_they_came() -> None:
    wire = Wire()
    batcher = Batcher(wire.send)
    calls = [asyncio.create_task(batcher.call(outcome(f"early{number}"))) for number in range(2)]
    await wire.after(1)
    calls += [asyncio.create_task(batcher.call(outcome(f"late{number}"))) for number in range(48)]
    await wire.after(2)
    wire.answer(0)
    await wire.after(3)
    for number in (1, 2):
        wire.answer(number)
    await asyncio.gather(*calls)
    assert [len(request) for request in wire.sent] == [2, 25, 23]

    calls = [asyncio.create_task(batcher.call(outcome(f"again{number}"))) for number in range(2 * MANY)]
    await wire.after(5)
    for number in (3, 4):
        wire.answer(number)
    await asyncio.gather(*calls)
    assert [len(request) for request in wire.sent[3:]] == [MANY, MANY]


async def test_calls_leave_beside_a_request_that_is_under_way_once_they_are_half_as_many() -> None:
    wire = Wire()
    batcher = Batcher(wire.send)
    calls = [asyncio.create_task(batcher.call(outcome(f"first{number}"))) for number in range(10)]
    await wire.after(1)
    for number in range(4):
        calls.append(asyncio.create_task(batcher.call(outcome(f"next{number}"))))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert len(wire.sent) == 1
    calls.append(asyncio.create_task(batcher.call(outcome("next4"))))
    await wire.after(2)
    for number in range(2):
        wire.answer(number)

    assert len(await asyncio.gather(*calls)) == 15
    assert [len(request) for request in wire.sent] == [10, 5]


async def test_few_calls_leave_in_one_request() -> None:
    wire = Wire()
    batcher = Batcher(wire.send)
    calls = [asyncio.create_task(batcher.call(outcome(str(number)))) for number in range(MANY - 1)]
    await wire.after(1)
    wire.answer(0)
    await asyncio.gather(*calls)
    assert len(wire.sent) == 1


async def test_a_request_that_fails_fails_its_calls_and_no_others() -> None:
    wire = Wire()
    batcher = Batcher(wire.send)
    calls = [asyncio.create_task(batcher.call(outcome(name))) for name in ("a", "b")]
    await wire.after(1)
    last = asyncio.create_task(batcher.call(outcome("c")))
    await wire.after(2)
    wire.fail(0)
    wire.answer(1)

    for call in calls:
        with pytest.raises(ConnectionError, match="cut"):
            await call
    assert (await last).body == b"c"
