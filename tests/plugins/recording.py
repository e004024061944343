"""A plugin that keeps what it is told, and a handler run with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from everstep import Plugin
from everstep.handler import DurableHandler
from everstep.plugins import (
    AttemptEndInfo,
    AttemptStartInfo,
    CheckpointInfo,
    InvocationEndInfo,
    InvocationStartInfo,
    OperationChangeInfo,
    OperationInfo,
    UserFunctionEndInfo,
    UserFunctionStartInfo,
)
from everstep.protocol.shapes import Operation
from everstep.service.machine.model import Outcome
from everstep.testing.virtual import run_virtually
from tests.support.handlers import Handler
from tests.support.loopback import Faults, Loopback, Run

T = TypeVar("T")


class Recording(Plugin):
    """Every call, in order: the hook's name without `on_`, and what it was given."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []

    def on_invocation_start(self, info: InvocationStartInfo) -> None:
        self.told.append(("invocation_start", info))

    def on_invocation_end(self, info: InvocationEndInfo) -> None:
        self.told.append(("invocation_end", info))

    def on_operation_start(self, info: OperationInfo) -> None:
        self.told.append(("operation_start", info))

    def on_operation_change(self, info: OperationChangeInfo) -> None:
        assert set(info.updated_operations) <= set(info.operations)
        self.told.append(("operation_change", info))

    def on_operation_end(self, info: OperationInfo) -> None:
        self.told.append(("operation_end", info))

    def on_attempt_start(self, info: AttemptStartInfo) -> None:
        self.told.append(("attempt_start", info))

    def on_attempt_end(self, info: AttemptEndInfo) -> None:
        self.told.append(("attempt_end", info))

    def on_user_function_start(self, info: UserFunctionStartInfo) -> None:
        self.told.append(("user_function_start", info))

    def on_user_function_end(self, info: UserFunctionEndInfo) -> None:
        self.told.append(("user_function_end", info))

    def on_checkpoint(self, info: CheckpointInfo) -> None:
        self.told.append(("checkpoint", info))

    @property
    def hooks(self) -> list[str]:
        return [hook for hook, _ in self.told]

    def of(self, kind: type[T], hook: str = "") -> list[T]:
        """What was told of one kind (exactly), by one hook."""
        return [info for name, info in self.told if type(info) is kind and name.endswith(hook)]


@dataclass
class Told:
    """How an execution ended, and what the plugin heard of it."""

    run: Run
    plugin: Recording = field(default_factory=Recording)


def run_told(
    handler: Handler,
    event: object = None,
    *,
    warm: bool = True,
    faults: Faults | None = None,
    others: Sequence[Plugin] = (),
    outside: tuple[float, Outcome] | None = None,
) -> Told:
    """Run it to its end. others: plugins before the recording one. outside: when and how every callback is completed."""
    plugin = Recording()

    def complete(callback: Operation) -> tuple[float, Outcome] | None:
        return outside

    async def main() -> Run:
        loopback = Loopback(DurableHandler(handler, plugins=[*others, plugin]), json.dumps(event), faults=faults, warm=warm)
        loopback.answer = complete
        return await loopback.run()

    return Told(run_virtually(main()), plugin)
