"""Suite 10: plugins. Each prints what it is told as a line of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from everstep import Branch, DurableContext, Plugin, Retry, durable, get_step_context
from everstep.plugins import (
    AttemptEndInfo,
    AttemptStartInfo,
    InvocationEndInfo,
    InvocationStartInfo,
    OperationChangeInfo,
    OperationInfo,
    UserFunctionEndInfo,
    UserFunctionStartInfo,
)
from everstep.protocol.shapes import ErrorObject

ENDED: Final = ("SUCCEEDED", "FAILED")


class Printing(Plugin):
    """A plugin that prints."""

    def __init__(self, name: str = "CONFPLUGIN") -> None:
        self.name = name

    def print(self, info: msgspec.Struct, hook: str, **fields: object) -> None:
        arn: object = getattr(info, "execution_arn", None)
        print(json.dumps({"plugin": self.name, "hook": hook, "durableExecutionArn": arn} | fields), flush=True)


def message(error: ErrorObject | None) -> str:
    return "NONE" if error is None else str(error.error_message)


# -- handlers' code ----------------------------------------------------------------


async def greet(name: str) -> str:
    return f"Hello, {name}!"


async def fail() -> str:
    raise RuntimeError("boom")


async def fail_at_first(result: str) -> str:
    if get_step_context().attempt == 1:
        raise RuntimeError("the first attempt fails")
    return result


# -- invocations -------------------------------------------------------------------


class Invocations(Printing):
    """Prints the beginning and the end of each invocation."""

    def on_invocation_start(self, info: InvocationStartInfo) -> None:
        self.print(info, "invocation-start", first=info.is_first_invocation)

    def on_invocation_end(self, info: InvocationEndInfo) -> None:
        terminal = info.status in ENDED
        self.print(info, "invocation-end", first=info.is_first_invocation, terminal=terminal, status=info.status)


@durable(warm_executions=0, plugins=[Invocations()])
async def invocations(event: str, ctx: DurableContext) -> str:
    """10-1: an invocation begins and ends."""

    async def greet_aloud(name: str) -> str:
        ctx.logger.info("Greeting step running for: %s", name)
        return await greet(name)

    return await ctx.step(greet_aloud, event)


@durable(warm_executions=0, plugins=[Invocations("CONFPLUGIN-A"), Invocations("CONFPLUGIN-B")])
async def several(event: str, ctx: DurableContext) -> str:
    """10-5: two plugins."""
    return await ctx.step(greet, event)


@durable(warm_executions=0, plugins=[Invocations()])
async def first_invocation(event: object, ctx: DurableContext) -> None:
    """10-6: the first invocation, and another."""
    await ctx.wait(2)


@durable(warm_executions=0, plugins=[Invocations()])
async def failed(event: object, ctx: DurableContext) -> str:
    """10-7: the execution fails."""
    return await ctx.step(fail, retry=Retry.none())


@durable(warm_executions=0, plugins=[Invocations()])
async def suspended(event: object, ctx: DurableContext) -> None:
    """10-16: an invocation that ends because the execution is suspended."""
    await ctx.wait(2)


class Updates(Printing):
    """Prints the waits that the service has moved on."""

    def on_invocation_start(self, info: InvocationStartInfo) -> None:
        for operation in info.updated_operations.values():
            if operation.operation_type == "WAIT":
                first = info.is_first_invocation
                self.print(info, "updated-on-invoke", op=operation.operation_id, status=operation.status, first=first)


@durable(warm_executions=0, plugins=[Updates()])
async def updated(event: object, ctx: DurableContext) -> None:
    """10-9: a wait that ends between two invocations."""
    await ctx.wait(2)


# -- operations --------------------------------------------------------------------


class Operations(Printing):
    """Prints the beginning and the end of operations of some types; of all, if none are given."""

    def __init__(self, *types: str, name: str = "CONFPLUGIN") -> None:
        super().__init__(name)
        self.types = types

    def on_operation_start(self, info: OperationInfo) -> None:
        if info.operation_type in self.types:
            self.print(
                info,
                "operation-start",
                op=info.operation_id,
                name=info.name,
                type=info.operation_type,
                replay=info.is_replayed,
                pending=info.end_time is None,
            )

    def on_operation_end(self, info: OperationInfo) -> None:
        if not self.types or info.operation_type in self.types:
            self.print(
                info,
                "operation-end",
                op=info.operation_id,
                name=info.name,
                parent=info.parent_id or "NONE",
                type=info.operation_type,
                status=info.status,
                result="NONE" if info.result is None else info.result,
                error=message(info.error),
            )


@durable(warm_executions=0, plugins=[Operations("STEP")])
async def operations(event: str, ctx: DurableContext) -> str:
    """10-2: a step begins and ends."""
    return await ctx.step(greet, event)


@durable(warm_executions=0, plugins=[Operations("WAIT")])
async def wait_operation(event: object, ctx: DurableContext) -> None:
    """10-10: a wait begins and ends."""
    await ctx.wait(2)


@durable(warm_executions=0, plugins=[Operations()])
async def nested(event: str, ctx: DurableContext) -> str:
    """10-11: a step in a child context."""

    async def inside(child: DurableContext) -> str:
        return await child.step(greet, event)

    return await ctx.run_in_child_context(inside)


@durable(warm_executions=0, plugins=[Operations("STEP")])
async def replayed(event: object, ctx: DurableContext) -> str:
    """10-13: a step that has ended and one that has not, on a replay."""
    await ctx.step(greet, "you")
    return await ctx.step(fail_at_first, "Operation succeeded", retry=Retry.fixed(1, max_attempts=2))


@durable(warm_executions=0, plugins=[Operations("STEP")])
async def outcomes(event: object, ctx: DurableContext) -> str:
    """10-14: a result and an error."""

    async def task() -> str:
        return "task-a"

    await ctx.step(task)
    return await ctx.step(fail, retry=Retry.none())


@durable(warm_executions=0, plugins=[Operations("WAIT")])
async def pending(event: object, ctx: DurableContext) -> list[str]:
    """10-18: a wait that goes on while another ends."""

    async def short(branch: DurableContext) -> str:
        await branch.wait(2, name="short")
        return "short-done"

    async def long(branch: DurableContext) -> str:
        await branch.wait(8, name="long")
        return "long-done"

    return list((await ctx.parallel([short, long], name="waits", max_concurrency=2)).get_results())


class Changes(Printing):
    """Prints the steps that a checkpoint's answer has changed."""

    def on_operation_change(self, info: OperationChangeInfo) -> None:
        for operation in info.updated_operations.values():
            if operation.operation_type == "STEP":
                known = operation.operation_id in info.operations
                self.print(info, "operation-change", op=operation.operation_id, status=operation.status, in_full_map=known)


@durable(warm_executions=0, plugins=[Changes()])
async def changed(event: str, ctx: DurableContext) -> str:
    """10-8: what checkpoints change."""
    return await ctx.step(greet, event)


# -- attempts and functions --------------------------------------------------------


class Attempts(Operations):
    """Prints the beginning and the end of attempts too."""

    def on_attempt_start(self, info: AttemptStartInfo) -> None:
        self.print(info, "attempt-start", n=info.attempt, op=info.operation_id)

    def on_attempt_end(self, info: AttemptEndInfo) -> None:
        self.print(info, "attempt-end", n=info.attempt, outcome=info.outcome, op=info.operation_id)


@durable(warm_executions=0, plugins=[Attempts("STEP")])
async def attempts(event: object, ctx: DurableContext) -> str:
    """10-3: a step that succeeds at its second attempt."""
    return await ctx.step(fail_at_first, "Operation succeeded", retry=Retry.fixed(1, max_attempts=3))


@durable(warm_executions=0, plugins=[Attempts("STEP")])
async def exhausted(event: object, ctx: DurableContext) -> str:
    """10-15: a step whose attempts are used up."""
    return await ctx.step(fail, retry=Retry.fixed(1, max_attempts=2))


class Everything(Attempts, Invocations):
    """Prints what happens to steps and invocations."""

    def __init__(self, name: str) -> None:
        super().__init__("STEP", name=name)


class Faulty(Printing):
    """Prints, and raises."""

    def on_invocation_start(self, info: InvocationStartInfo) -> None:
        self.fail(info, "invocation-start")

    def on_invocation_end(self, info: InvocationEndInfo) -> None:
        self.fail(info, "invocation-end")

    def on_operation_start(self, info: OperationInfo) -> None:
        if info.operation_type == "STEP":
            self.fail(info, "operation-start")

    def on_operation_end(self, info: OperationInfo) -> None:
        if info.operation_type == "STEP":
            self.fail(info, "operation-end")

    def on_attempt_start(self, info: AttemptStartInfo) -> None:
        self.fail(info, "attempt-start")

    def on_attempt_end(self, info: AttemptEndInfo) -> None:
        self.fail(info, "attempt-end")

    def fail(self, info: msgspec.Struct, hook: str) -> None:
        self.print(info, hook)
        raise RuntimeError(f"the plugin fails at {hook}")


@durable(warm_executions=0, plugins=[Faulty("CONFPLUGIN-FAULTY")])
async def faulty(event: str, ctx: DurableContext) -> str:
    """10-4: a plugin that always raises."""
    return await ctx.step(greet, event)


@durable(warm_executions=0, plugins=[Faulty("CONFPLUGIN-FAULTY"), Everything("CONFPLUGIN-HEALTHY")])
async def faulty_and_healthy(event: str, ctx: DurableContext) -> str:
    """10-17: one that always raises, and one that works."""
    return await ctx.step(greet, event)


class Functions(Printing):
    """Prints the beginning and the end of branches' functions."""

    def on_user_function_start(self, info: UserFunctionStartInfo) -> None:
        if info.sub_type == "ParallelBranch":
            self.print(info, "fn-start", op=info.operation_id, parent=info.parent_id or "NONE")

    def on_user_function_end(self, info: UserFunctionEndInfo) -> None:
        if info.sub_type == "ParallelBranch":
            self.print(info, "fn-end", op=info.operation_id, parent=info.parent_id or "NONE", outcome=info.outcome)


@durable(warm_executions=0, plugins=[Functions()])
async def branches(event: object, ctx: DurableContext) -> list[str]:
    """10-12: the functions of branches."""

    async def first(branch: DurableContext) -> str:
        return "task-1"

    async def second(branch: DurableContext) -> str:
        return "task-2"

    return list((await ctx.parallel([first, second], name="parallel", max_concurrency=1)).get_results())


# -- every field of what hooks are told --------------------------------------------

# The requirements' name of a field, where it is not the field's own in camel case.
CANONICAL: Final = {
    "operation_id": "id",
    "operation_type": "type",
    "is_replayed": "isReplay",
    "start_time": "startTimestamp",
    "end_time": "endTimestamp",
    "execution_start_time": "executionStartTimestamp",
}
COUNTED: Final = ("operations", "updated_operations")


def canonical(info: msgspec.Struct, left_out: Sequence[str] = ()) -> Iterable[tuple[str, object]]:
    """A hook's own information, as the requirements write it."""
    for field in info.__struct_fields__:
        value: object = getattr(info, field)
        first, *others = field.split("_")
        name = CANONICAL.get(field, first + "".join(other.title() for other in others))
        if value is None or field in left_out:
            continue
        if field in COUNTED:
            yield f"{name}Count", len(getattr(info, field))
        elif isinstance(value, datetime):
            yield name, value.isoformat()
        elif isinstance(value, ErrorObject):
            yield ("executionError" if isinstance(info, InvocationEndInfo) else name), value.error_message
        else:
            yield name, value


class InvocationFields(Printing):
    """Prints every field of what it is told about invocations."""

    def on_invocation_start(self, info: InvocationStartInfo) -> None:
        self.print(info, "invocation-start", **dict(canonical(info)))

    def on_invocation_end(self, info: InvocationEndInfo) -> None:
        left_out = ("updated_operations", "execution_input", "result")
        self.print(info, "invocation-end", terminal=info.status in ENDED, **dict(canonical(info, left_out)))


@durable(warm_executions=0, plugins=[InvocationFields()])
async def invocation_fields(event: str, ctx: DurableContext) -> str:
    """10-19: every field of invocations."""
    await ctx.wait(2)
    return f"done-{event}"


class OperationFields(Printing):
    """Prints every field of what it is told about operations of a type."""

    def __init__(self, operation_type: str) -> None:
        super().__init__()
        self.type = operation_type

    def on_operation_start(self, info: OperationInfo) -> None:
        if info.operation_type == self.type:
            self.print(info, "operation-start", **dict(canonical(info)))

    def on_operation_end(self, info: OperationInfo) -> None:
        if info.operation_type == self.type:
            self.print(info, "operation-end", **dict(canonical(info)))

    def on_user_function_start(self, info: UserFunctionStartInfo) -> None:
        self.print(info, "fn-start", **dict(canonical(info)))


async def task_a() -> str:
    return "task-a"


@durable(warm_executions=0, plugins=[OperationFields("STEP")])
async def operation_fields(event: object, ctx: DurableContext) -> str:
    """10-20: every field of operations."""
    return await ctx.step(task_a, name="greet")


class AttemptFields(Printing):
    """Prints every field of what it is told about attempts."""

    def on_attempt_start(self, info: AttemptStartInfo) -> None:
        self.print(info, "attempt-start", **dict(canonical(info)))

    def on_attempt_end(self, info: AttemptEndInfo) -> None:
        self.print(info, "attempt-end", **dict(canonical(info)))


@durable(warm_executions=0, plugins=[AttemptFields()])
async def attempt_fields(event: object, ctx: DurableContext) -> str:
    """10-21: every field of attempts."""
    return await ctx.step(fail_at_first, "ok", name="flaky", retry=Retry.fixed(1, max_attempts=3))


class ChangeFields(Printing):
    """Prints every field of the steps that a checkpoint's answer has changed."""

    def on_operation_change(self, info: OperationChangeInfo) -> None:
        counts = dict(canonical(info))
        for operation in info.updated_operations.values():
            if operation.operation_type == "STEP":
                known = operation.operation_id in info.operations
                self.print(info, "operation-change", inFullMap=known, **(dict(canonical(operation)) | counts))


@durable(warm_executions=0, plugins=[ChangeFields()])
async def change_fields(event: object, ctx: DurableContext) -> str:
    """10-22: every field of changes."""
    return await ctx.step(task_a, name="greet")


@durable(warm_executions=0, plugins=[OperationFields("CONTEXT")])
async def context_fields(event: object, ctx: DurableContext) -> list[str]:
    """10-23: every field of contexts and their functions."""

    async def first(branch: DurableContext) -> str:
        async def inner() -> str:
            return "x"

        await branch.step(inner)
        await branch.wait(2)
        return "a-done"

    async def second(branch: DurableContext) -> str:
        return "b-done"

    branches = [Branch(first, "branch-a"), Branch(second, "branch-b")]
    return list((await ctx.parallel(branches, name="ctx", max_concurrency=1)).get_results())
