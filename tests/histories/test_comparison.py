"""Two executions side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from everstep import DurableContext, durable
from everstep.histories.comparison import Aspect, Comparison, Pair, compare
from everstep.histories.reading import recording_of
from everstep.histories.recording import Recording
from everstep.protocol.shapes import ContextDetails, ErrorObject, Operation, OperationStatus, StepDetails
from everstep.service.embedded import Service

Program: TypeAlias = "Sequence[str | Program]"
"""Steps, by name, and child contexts, one after the other."""

NAMES = st.sampled_from(["charge", "pack", "mail", "a/b", "charge#2"])
PROGRAMS: st.SearchStrategy[Program] = st.lists(st.recursive(NAMES, lambda inside: st.lists(inside, max_size=3), max_leaves=6), max_size=4)


PAID = StepDetails(attempt=1, result='"paid"')


def step(order: int, name: str = "charge", parent: str | None = None, details: StepDetails = PAID) -> Operation:
    one = Operation(id=f"o{order}", type="STEP", status="SUCCEEDED", start_timestamp=order, end_timestamp=order + 9, sub_type="Step")
    return replace(one, name=name, parent_id=parent, step_details=details)


def context(order: int, name: str, parent: str | None = None, status: OperationStatus = "SUCCEEDED") -> Operation:
    details = ContextDetails(result="1")
    return Operation(id=f"o{order}", type="CONTEXT", status=status, name=name, parent_id=parent, context_details=details)


def recording(*operations: Operation, result: str | None = None) -> Recording:
    execution = Operation(id="e", type="EXECUTION", status="STARTED")
    return Recording(source="e", arn=None, name="e", status="SUCCEEDED", operations=[execution, *operations], result=result)


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    operations: list[Operation] = []

    def add(program: Program, parent: str | None) -> None:
        for one in program:
            order = len(operations) + 1
            if isinstance(one, str):
                status: OperationStatus = draw(st.sampled_from(["SUCCEEDED", "FAILED", "STARTED"]))
                ended = None if status == "STARTED" else draw(st.integers(order, 5_000))
                result = draw(st.none() | st.sampled_from(["1", "true", '{"a": 1, "b": 2}', '{"b":2,"a":1}', "no json"]))
                error = draw(st.none() | st.builds(ErrorObject, error_type=st.sampled_from(["A", "B"]), stack_trace=st.just(["1"])))
                details = StepDetails(attempt=draw(st.integers(0, 2)), result=result, error=error)
                operations.append(replace(step(order, one, parent, details), status=status, end_timestamp=ended))
            else:
                operations.append(context(order, "context", parent))
                add(one, f"o{order}")

    add(draw(PROGRAMS), None)
    return recording(*operations)


@given(recordings())
def test_an_execution_does_not_differ_from_itself(one: Recording) -> None:
    found = compare(one, one)

    assert (found.differs_in, found.first) == ((), None)
    assert [pair.left for pair in found.pairs] == [pair.right for pair in found.pairs]
    assert {pair.verdict for pair in found.pairs} <= {"same"}
    assert [pair.left for pair in found.pairs] == list(one.operations[1:])


def mirrored(pair: Pair) -> Pair:
    return replace(pair, left=pair.right, right=pair.left)


@given(recordings(), recordings())
def test_the_other_way_round_the_sides_are_swapped(one: Recording, other: Recording) -> None:
    there, back = compare(one, other), compare(other, one)

    assert [mirrored(pair) for pair in there.pairs] == back.pairs
    assert (there.first and mirrored(there.first), there.differs_in) == (back.first, back.differs_in)


@given(recordings(), recordings())
def test_every_operation_has_its_place_below_its_context_and_the_first_difference_is_one(one: Recording, other: Recording) -> None:
    found = compare(one, other)

    for side, operations in (([pair.left for pair in found.pairs], one), ([pair.right for pair in found.pairs], other)):
        known = [operation for operation in side if operation is not None]
        assert sorted(known, key=lambda operation: int(operation.id[1:])) == list(operations.operations[1:])
        for number, operation in enumerate(known):
            assert operation.parent_id is None or operation.parent_id in {before.id for before in known[:number]}
    differing = [pair for pair in found.pairs if pair.verdict != "same"]
    assert (found.first in differing) if differing else found.first is None


@pytest.mark.parametrize(
    ("other", "differs_in"),
    [
        (replace(step(1), type="WAIT", sub_type="Wait", step_details=None), ("kind", "result", "attempts")),
        (replace(step(1), status="STARTED", end_timestamp=None), ("status",)),
        (step(1, details=StepDetails(attempt=1, result='"other"')), ("result",)),
        (step(1, details=StepDetails(attempt=1, result=' "paid"')), ()),
        (step(1, details=StepDetails(attempt=3, result='"paid"')), ("attempts",)),
        (step(1, details=StepDetails(attempt=1, result='"paid"', error=ErrorObject())), ("error",)),
        (replace(step(1), end_timestamp=1_200), ("duration",)),
        (replace(step(1), end_timestamp=900), ()),
    ],
)
def test_operations_differ_in_what_is_said(other: Operation, differs_in: tuple[Aspect, ...]) -> None:
    [pair] = compare(recording(step(1)), recording(other)).pairs

    assert pair.differs_in == differs_in


def shown(found: Comparison) -> list[str]:
    return [f"{pair.path}: {pair.verdict}" for pair in found.pairs]


def test_what_is_on_one_side_only_stands_where_it_began() -> None:
    left = recording(step(1, "a"), step(2, "b"), step(3, "c"), step(4, "d"))
    right = recording(step(1, "a"), context(2, "x"), step(3, "y", "o2"), step(4, "b"), step(5, "d"))

    found = compare(left, right)

    assert shown(found) == ["a: same", "x: right only", "x/y: right only", "b: same", "c: left only", "d: same"]
    assert found.first is not None
    assert found.first.path == "x"


def test_a_context_whose_content_differs_is_not_the_first_difference() -> None:
    left = recording(context(1, "ship"), step(2, "label", "o1"), step(3, "label", "o1"))
    right = recording(context(1, "ship", status="FAILED"), step(2, "label", "o1"), step(3, "label", "o1", details=StepDetails(attempt=2)))

    found = compare(left, right)

    assert shown(found) == ["ship: differs", "ship/label: same", "ship/label#2: differs"]
    assert [pair.path for pair in found.differing] == ["ship", "ship/label#2"]
    assert found.first == found.pairs[2]


def test_a_duration_is_the_first_difference_only_if_nothing_else_is() -> None:
    slow = replace(step(1, "a"), end_timestamp=60_000)

    by_result = compare(recording(slow, step(2, "b")), recording(step(1, "a"), step(2, "b", details=StepDetails(attempt=1)))).first
    by_duration = compare(recording(slow, step(2, "b")), recording(step(1, "a"), step(2, "b"))).first

    assert (by_result and by_result.path, by_duration and by_duration.path) == ("b", "a")


def test_executions_differ_as_a_whole_in_input_and_outcome() -> None:
    one = recording(result="1")

    assert compare(one, replace(one, result="2", status="FAILED", input="3", error=ErrorObject())).differs_in == (
        "status",
        "input",
        "result",
        "error",
    )


async def run(program: Program, ctx: DurableContext) -> list[object]:
    found: list[object] = []
    for one in program:
        if isinstance(one, str):
            found.append(await ctx.step(lambda: "made", name=one))
        else:
            found.append(await ctx.run_in_child_context(partial(run, one), name="inside"))
    return found


@settings(max_examples=25, deadline=None)
@given(PROGRAMS, st.data())
def test_a_fork_differs_from_its_source_at_the_operation_whose_result_is_another(program: Program, data: st.DataObject) -> None:
    @durable
    async def handler(event: None, ctx: DurableContext) -> list[object]:
        return await run(program, ctx)

    async def forked() -> None:
        async with Service("memory://") as service:
            execution = await service.start(handler, None)
            await execution.result()
            source = await recorded(service, execution.arn)
            steps = [one for one in source.operations if one.type == "STEP"]
            if not steps:
                return
            edited = data.draw(st.sampled_from(steps))
            fork = await service.fork(handler, execution.arn, edited.id, value="edited")
            await fork.result()
            found = compare(source, await recorded(service, fork.arn))
            assert found.first is not None
            assert found.first.left == edited
            assert "result" in found.first.differs_in
            assert {pair.verdict for pair in found.pairs} <= {"same", "differs"}

    asyncio.run(forked())


async def recorded(service: Service, arn: str) -> Recording:
    return recording_of({"DurableExecutionArn": arn, "Events": list(await service.history(arn))}, arn)
