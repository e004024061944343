from __future__ import annotations

import re
from typing import Final, Never

import pytest
from msgspec.structs import replace
from tests.service.machine.updates import callback, context, context_failed, context_succeeded, finished, step, wait
from tests.service.machine.world import BOOM, World, rejection, resolve, running

from everstep.protocol.shapes import ErrorObject, OperationUpdate
from everstep.service.machine.checkpoint import checkpoint, readable_operations
from everstep.service.machine.execution import stop_execution
from everstep.service.machine.model import Outcome, Record
from everstep.service.machine.rules import Rules
from everstep.service.machine.state import State
from everstep.service.machine.tokens import mint_token

TOKEN: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")


# Tokens


def test_each_checkpoint_uses_up_its_token_and_answers_with_the_next() -> None:
    world = running()
    first = world.token

    second = world.send().token
    third = world.send(step("START")).token

    assert second is not None
    assert third is not None
    assert len({first, second, third}) == 3
    assert all(TOKEN.fullmatch(token) for token in (first, second, third))
    assert world.refused(token=first) == "Invalid checkpoint token"
    assert world.refused(token=second) == "Invalid checkpoint token"
    world.send(token=third)


def test_a_token_holds_for_its_invocation_alone() -> None:
    world = running()
    world.send(wait(seconds=1))
    token = world.token
    world.suspend()
    assert world.refused(token=token) == "Invalid checkpoint token"
    world.later(1).fire()
    world.begin()

    assert world.refused(token=token) == "Invalid checkpoint token"


def test_no_token_holds_once_the_execution_is_closed() -> None:
    world = running()
    token = world.token
    world.apply(stop_execution(world.state, None, world.now))

    assert world.refused(step("START"), token=token) == "Invalid checkpoint token"


def test_a_token_of_another_execution_says_so() -> None:
    world = running()

    message = world.refused(token=mint_token("another", 1, 0, b"secret-1"))

    assert message == "Checkpoint token is not valid for the durable execution ARN"


@pytest.mark.parametrize("token", ["YWJj", "YTpiOmM6ZA==", "garbage", "0"])
def test_a_token_that_nobody_minted(token: str) -> None:
    assert running().refused(token=token) == "Invalid checkpoint token"


def test_a_token_cannot_be_made_from_another_one() -> None:
    world = running()
    execution_id = world.execution.id

    assert world.refused(token=mint_token(execution_id, 1, 0, b"a guess")) == "Invalid checkpoint token"
    assert world.refused(token=mint_token(execution_id, 1, 1, b"secret-1")) == "Invalid checkpoint token"


def test_reading_needs_the_token_and_does_not_use_it_up() -> None:
    world = running()
    world.send(step("START"))

    operations = readable_operations(world.state, world.token)

    assert [operation.id for operation in operations] == [world.execution.id, "s"]
    assert rejection(lambda: readable_operations(world.state, "YWJj")) == (
        "InvalidParameterValueException",
        "Invalid checkpoint token",
    )
    world.send(token=world.token)


# Repeated requests


def test_a_repeated_checkpoint_gets_the_same_answer_and_records_nothing() -> None:
    world = running()
    token = world.token
    reply = world.send(step("START"), client_token="once")
    before = world.execution

    again = world.later(899).send(step("START"), token=token, client_token="once")

    assert again == reply
    assert world.execution is before


def test_a_repeated_checkpoint_gets_its_answer_whatever_it_carries_now() -> None:
    world = running()
    token = world.token
    reply = world.send(step("START"), client_token="once")

    assert world.send(wait(), token=token, client_token="once") == reply


def test_a_repeated_checkpoint_is_recognised_after_a_restart() -> None:
    world = running()
    world.send(step("START", "before"))
    token = world.token
    reply = world.send(step("START"), callback(), client_token="once")

    world.state = State(world.execution, world.state.records.values())
    again = world.send(step("START"), token=token, client_token="once")

    assert again == reply


def test_only_the_last_checkpoint_can_be_repeated() -> None:
    world = running()
    token = world.token
    world.send(step("START"), client_token="once")
    world.send(client_token="twice")

    assert world_refuses(world, token, "once")


def test_a_repeated_checkpoint_is_forgotten_after_fifteen_minutes() -> None:
    world = running()
    token = world.token
    world.send(step("START"), client_token="once")

    assert world_refuses(world.later(900), token, "once")


def test_a_closing_checkpoint_cannot_be_repeated() -> None:
    world = running()
    token = world.token
    world.send(finished(), client_token="once")

    assert world_refuses(world, token, "once")


def world_refuses(world: World, token: str, client_token: str) -> bool:
    refusal = rejection(lambda: world.send(token=token, client_token=client_token))
    return refusal == ("InvalidParameterValueException", "Invalid checkpoint token")


# What is answered


def test_the_answer_holds_what_changed_since_the_last_one_in_the_order_of_beginning() -> None:
    world = running()
    world.send(wait("w", 5), step("START", "a"), callback("cb"))
    world.callback("cb", Outcome(status="SUCCEEDED"))

    reply = world.later(5).send(step("SUCCEED", "a"), step("START", "b"))

    assert [(one.id, one.status) for one in reply.operations] == [
        ("w", "SUCCEEDED"),
        ("a", "SUCCEEDED"),
        ("cb", "SUCCEEDED"),
        ("b", "STARTED"),
    ]
    assert world.send().operations == ()


def test_an_operation_that_changed_twice_is_told_once() -> None:
    world = running()

    reply = world.send(step("START"), step("SUCCEED", payload="1"))

    assert [(one.id, one.status) for one in reply.operations] == [("s", "SUCCEEDED")]


def test_due_timers_follow_the_updates_and_share_the_answer() -> None:
    world = running()
    world.send(wait(seconds=1))

    world.later(1).send(step("START"))

    assert world.events()[-2:] == ["StepStarted", "WaitSucceeded"]


def test_updates_of_one_batch_share_a_timestamp_and_keep_their_order() -> None:
    world = running()

    world.later(1).send(context(), step("START", parent_id="c"), step("SUCCEED"), context_succeeded())

    assert world.events()[1:] == ["ContextStarted", "StepStarted", "StepSucceeded", "ContextSucceeded"]
    assert {event.timestamp for event in world.history[1:]} == {world.now}


# The batch as a whole


def test_what_may_not_travel_together() -> None:
    same = "Cannot checkpoint multiple operations with the same ID."

    assert running().refused(finished(), finished()) == "Cannot checkpoint multiple EXECUTION updates."
    assert running().refused(finished(), step("START")) == "EXECUTION checkpoint must be the last update."
    assert running().refused(step("START"), step("START")) == same
    assert running().refused(step("SUCCEED"), step("START")) == same
    assert running().refused(step("START"), step("SUCCEED"), step("SUCCEED")) == same
    assert running().refused(step("START"), step("RETRY", delay_s=1), step("START")) == same
    assert running().refused(context(), context_succeeded(), context_failed()) == same
    assert running().refused(wait(), OperationUpdate(id="w", type="WAIT", action="CANCEL")) == same
    assert running().refused(context("s"), step("START")) == same


@pytest.mark.parametrize("last", [step("SUCCEED"), step("FAIL"), step("RETRY", delay_s=1)])
def test_a_step_may_begin_and_end_in_one_batch(last: OperationUpdate) -> None:
    world = running()

    world.send(step("START"), last)

    assert len(world.history) == 3


def test_a_parent_is_a_context_that_began_earlier() -> None:
    world = running()
    world.send(step("START", "step"), context("known"))

    message = "Invalid parent operation id."
    assert world.refused(step("START", parent_id="nobody")) == message
    assert world.refused(step("START", parent_id="step")) == message
    assert world.refused(step("START", parent_id=world.execution.id)) == message
    assert world.refused(step("START", parent_id="new"), context("new")) == message
    assert world.refused(context("self", parent_id="self")) == message
    world.send(context("new", parent_id="known"), step("START", parent_id="new"))


def test_a_rejected_batch_records_nothing_and_leaves_the_token() -> None:
    world = running()
    token = world.token

    world.refused(step("START", "a"), wait("b"), step("RETRY", "c"))

    assert world.events() == ["ExecutionStarted"]
    assert world.token == token
    world.send(step("START", "a"), token=token)


# One update beside what is recorded


def test_an_update_must_agree_with_what_is_recorded() -> None:
    world = running()
    world.send(context(), context("other"), step("START", name="charge", sub_type="Step", parent_id="c"))

    assert world.refused(replace(wait(), id="s")) == "Inconsistent operation type."
    assert world.refused(step("SUCCEED", sub_type="Other")) == "Inconsistent operation subtype."
    assert world.refused(step("SUCCEED", name="refund")) == "Inconsistent operation name."
    assert world.refused(step("SUCCEED", parent_id="other")) == "Inconsistent parent operation id."
    assert world.refused(replace(step("START"), id=world.execution.id)) == "Inconsistent operation type."


def test_a_type_that_nobody_knows() -> None:
    assert running().refused(replace(step("START"), type="SLEEP")) == "Unknown operation type."


def test_what_an_update_leaves_out_is_kept() -> None:
    world = running()
    world.send(context(), step("START", name="charge", sub_type="Step", parent_id="c"))

    world.send(step("SUCCEED"))

    operation = world.operation("s")
    assert (operation.name, operation.sub_type, operation.parent_id) == ("charge", "Step", "c")


def test_what_is_too_large() -> None:
    large = "x" * 1_048_577
    error = ErrorObject(error_message="é" * 524_288, error_type="E")

    assert running().refused(step("SUCCEED", payload=large)) == "STEP payload size must be less than or equal to 1048576 bytes."
    assert running().refused(context_succeeded(payload=large)) == "CONTEXT payload size must be less than or equal to 1048576 bytes."
    assert running().refused(step("SUCCEED", payload="é" * 524_289)).startswith("STEP payload size")
    assert running().refused(step("FAIL", error=error)) == "Error object size must be less than or equal to 1048576 bytes."
    running().send(step("SUCCEED", payload=large[:-1]), step("FAIL", "f", error=replace(error, error_type=None)))


def test_checks_come_in_the_service_s_order() -> None:
    world = running()
    world.send(step("START", name="charge"))
    large = "x" * 1_048_577

    stale = world.refused(step("START"), step("START"), token="YWJj")
    batch = world.refused(step("START", name="other"), step("START"))
    identity = world.refused(step("CANCEL", name="other", payload=large))
    size = world.refused(step("CANCEL", payload=large))
    action = world.refused(step("CANCEL", error=BOOM))

    assert stale == "Invalid checkpoint token"
    assert batch == "Cannot checkpoint multiple operations with the same ID."
    assert identity == "Inconsistent operation name."
    assert size.startswith("STEP payload size")
    assert action == "Invalid action for the given operation type."


# Quotas


def test_operations_and_retries_count_against_the_quota() -> None:
    world = running(rules=Rules(max_operations=4))
    world.send(step("START"), step("RETRY", delay_s=1))  # with the execution itself: three

    world.send(wait("w", 60))

    message = "The durable execution has reached its limit of 4 operations."
    assert world.refused(step("START", "one-more")) == message
    world.later(1).send()
    assert world.refused(step("RETRY", delay_s=1)) == message
    world.send(step("SUCCEED"))
    world.succeed()


def test_what_is_recorded_counts_against_the_quota() -> None:
    world = running(rules=Rules(max_written_bytes=100))  # of which the input took 12
    world.send(step("SUCCEED", "a", payload="x" * 80))

    assert world.refused(step("SUCCEED", "b", payload="x" * 9)) == (
        "The durable execution has reached its limit of 100 bytes of recorded data."
    )
    world.send(step("SUCCEED", "b", payload="x" * 8))


class Unscannable(dict[str, Record]):
    """Records that can be looked up, not looked through."""

    def __iter__(self) -> Never:
        raise AssertionError("a checkpoint looks through all operations")

    def values(self) -> Never:
        self.__iter__()

    def items(self) -> Never:
        self.__iter__()


def test_a_checkpoint_never_looks_through_all_operations() -> None:
    world = running()
    for number in range(50):
        world.send(step("START", f"s{number}"), wait(f"w{number}", 1 + number))
    world.state.records = Unscannable(world.state.records)

    _, reply = checkpoint(world.state, world.token, [step("SUCCEED", "s3"), step("START", "new")], None, world.now + 5000, resolve=resolve)

    assert len(reply.operations) == 2 + 5
