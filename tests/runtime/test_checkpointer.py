from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar

from everstep.client.api import Checkpointed, StatePage
from everstep.protocol.shapes import OperationUpdate
from everstep.runtime.checkpointer import Checkpointer


class Service:
    """Takes every update. called: set with each call."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.called = asyncio.Event()

    async def checkpoint(self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str) -> Checkpointed:
        del arn, token, client_token
        self.batches.append([update.id for update in updates])
        self.called.set()
        return Checkpointed(token="next", operations=())

    async def get_state(self, arn: str, token: str, marker: str, max_items: int = 1000) -> StatePage:
        raise NotImplementedError


def checkpointer(service: Service) -> Checkpointer:
    return Checkpointer(
        host=asyncio.get_running_loop(),
        client=service,
        arn="arn",
        token="first",
        recorded=lambda _: None,
        failed=lambda _: None,
        revoked=lambda: None,
        one_at_a_time=False,
        reporter=None,
    )


def update(operation_id: str) -> OperationUpdate:
    return OperationUpdate(id=operation_id, type="STEP", action="SUCCEED")


async def test_what_is_gathered_leaves_with_the_next_urgent_update() -> None:
    service = Service()
    sender = checkpointer(service)

    sender.send(update("1"), urgent=False)
    sender.gather(lambda: True)
    sender.send(update("2"), urgent=False)
    sender.gather(lambda: True)
    await asyncio.sleep(0)
    assert service.batches == []
    sender.send(update("3"), urgent=True)
    sender.at_rest(is_alone=False)
    await service.called.wait()

    assert service.batches == [["1", "2", "3"]]


async def test_what_is_gathered_does_not_wait_for_ever() -> None:
    service = Service()
    sender = checkpointer(service)

    sender.send(update("1"), urgent=False)
    sender.gather(lambda: True)
    await service.called.wait()

    assert service.batches == [["1"]]


async def test_what_is_gathered_leaves_once_nothing_more_is_to_come() -> None:
    service = Service()
    sender = checkpointer(service)
    asked = iter([True, True, False])

    sender.send(update("1"), urgent=False)
    sender.gather(lambda: next(asked))
    await service.called.wait()

    assert service.batches == [["1"]]
    assert list(asked) == []


async def test_what_is_quiet_lingers_once_told_to() -> None:
    service = Service()
    sender = checkpointer(service)

    sender.send(update("1"), urgent=False)
    sender.at_rest(is_alone=False)
    await service.called.wait()

    assert service.batches == [["1"]]


async def test_a_flush_sends_at_once_and_only_once() -> None:
    service = Service()
    sender = checkpointer(service)

    sender.send(update("1"), urgent=True)
    sender.at_rest(is_alone=True)
    await service.called.wait()
    for _ in range(3):
        await asyncio.sleep(0)

    assert service.batches == [["1"]]


_called = ContextVar("_called", default=0)


class Marking(Service):
    """Sets a context variable in each call, as a tracing HTTP client may. seen: what each call found."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    async def checkpoint(self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str) -> Checkpointed:
        self.seen.append(_called.get())
        _called.set(1)
        await asyncio.sleep(0)
        return await super().checkpoint(arn, token, updates, client_token)


async def test_no_call_sees_the_context_variables_of_another() -> None:
    service = Marking()
    sender = checkpointer(service)

    for number in "123":
        sender.send(update(number), urgent=True)
        sender.at_rest(is_alone=True)
        sender.send(update(f"{number} while a call is under way"), urgent=False)
        await service.called.wait()
        service.called.clear()

    assert service.seen == [0] * len(service.seen)
    assert len(service.seen) >= 3
