"""Each row of the table in docs/errors.md ("Who tries again, and what ends an execution") is held by a test, here or elsewhere."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Final

import pytest

from everstep import DurableContext, Retry, StepTimeout, UsageError, durable, errors
from everstep.handler import DurableHandler
from everstep.testing.virtual import run_virtually
from tests.docs.snippets import ROOT
from tests.support.handlers import run_handler
from tests.support.loopback import Loopback
from tests.test_lambda import Lambda

PAGE: Final = (ROOT / "docs" / "errors.md").read_text()

# fmt: off
HELD_BY: Final[Mapping[str, Sequence[str]]] = {
    "a step's body raises, or exceeds its `timeout`":
        ["docs/test_errors_page.py::test_a_failed_attempt_suspends_and_is_tried_again_and_so_is_one_that_took_too_long"],
    "a step's body raises a `UsageError`":
        ["docs/test_errors_page.py::test_a_usage_error_in_a_step_is_not_tried_again",
         "runtime/test_misuse.py::test_a_value_that_can_not_be_written",
         "runtime/test_known_defects.py::test_a_result_above_the_limit_is_a_failed_step_that_says_so"],
    "a check of `wait_for_condition` raises":
        ["runtime/test_more_operations.py::test_a_condition_gives_up_after_its_polls_its_time_or_a_failing_check"],
    "an error leaves the handler":
        ["test_lambda.py::test_a_failing_handler_answers_failed_with_its_error",
         "docs/test_errors_page.py::test_a_cancellation_that_leaves_the_handler_fails_the_execution"],
    "misuse":
        ["runtime/test_known_defects.py::test_bad_options_are_refused_when_they_are_given",
         "runtime/test_known_defects.py::test_an_operation_inside_a_step_says_what_is_wrong",
         "runtime/test_misuse.py::test_a_parents_context_in_a_child"],
    "the code asks for something else than what is recorded":
        ["runtime/test_known_defects.py::test_a_renamed_step_is_refused",
         "runtime/test_known_defects.py::test_a_mismatch_that_is_swallowed_still_fails_the_execution"],
    "an operation is never awaited":
        ["runtime/test_misuse.py::test_an_operation_that_is_never_awaited",
         "runtime/test_known_defects.py::test_a_handler_that_waits_for_nothing_is_told_so"],
    "the event is not what the annotation says":
        ["test_lambda.py::test_an_input_of_another_type_fails_the_execution_with_a_reason",
         "runtime/test_misuse.py::test_a_result_of_the_handler_that_can_not_be_written"],
    "a wait, a retry's delay, a callback, an invoke is under way":
        ["test_lambda.py::test_an_execution_is_finished_over_two_invocations",
         "runtime/test_known_defects.py::test_a_step_beside_a_wait_runs_once"],
    "a callback or an invoke fails or times out":
        ["runtime/test_known_defects.py::test_failures_of_callbacks_have_types_of_their_own",
         "service/test_chained_invokes.py::test_a_durable_child_fails_and_times_out_with_its_error"],
    "a task is cancelled":
        ["runtime/test_known_defects.py::test_wait_for_around_a_durable_wait_times_out",
         "runtime/test_known_defects.py::test_early_completion_does_not_wait_for_stragglers"],
    "the process dies, or an invocation takes longer than it may":
        ["runtime/test_crashes.py::test_no_single_checkpoint_is_a_bad_moment_to_crash",
         "service/test_invocations.py::test_a_handler_that_hangs_is_cut_off_and_tried_again"],
    "`SystemExit` or `KeyboardInterrupt` in a step":
        ["docs/test_errors_page.py::test_the_end_of_the_process_is_no_failure_of_a_step"],
    "the execution takes longer than it may, or is stopped":
        ["service/test_embedded.py::test_an_execution_that_takes_too_long_times_out",
         "service/test_invocations.py::test_a_stopped_executions_handler_can_record_nothing_more"],
    "throttling (429), 5xx, no connection":
        ["client/test_http.py::test_what_may_pass_is_tried_again_with_the_same_client_token",
         "client/test_http.py::test_after_five_attempts_the_error_says_that_the_invocation_may_be_retried",
         "test_lambda.py::test_what_may_pass_is_raised_and_what_will_not_is_failed"],
    "an answer with something that this version does not know":
        ["client/test_http.py::test_what_will_not_pass_is_raised_at_once"],
    "a stale checkpoint token":
        ["client/test_refusal.py::test_what_a_refusal_means",
         "client/test_http.py::test_what_will_not_pass_is_raised_at_once"],
    "no token in an answer":
        ["runtime/test_known_defects.py::test_an_empty_answer_token_ends_the_invocation_as_pending"],
    "any other refusal (4xx)":
        ["client/test_http.py::test_what_will_not_pass_is_raised_at_once",
         "test_lambda.py::test_what_may_pass_is_raised_and_what_will_not_is_failed"],
    "an error of KMS":
        ["client/test_refusal.py::test_what_a_refusal_means",
         "client/test_http.py::test_what_will_not_pass_is_raised_at_once"],
    "credentials are missing or can't be renewed":
        ["client/test_credentials.py::test_credentials_that_cannot_be_renewed_do_not_fail_the_execution",
         "docs/test_errors_page.py::test_missing_credentials_fail_the_invocation_and_not_the_execution"],
    "a stage can't reach its store":
        ["runtime/test_stages_in_executions.py::test_a_store_that_is_away_fails_the_invocation_and_not_the_step"],
}
# fmt: on


def rows() -> list[str]:
    """What happens, of each row of the table, headings aside."""
    table = PAGE.split("## Who tries again")[1].split("\n\n")[1]
    first = [line.split("|")[1].strip() for line in table.splitlines()[2:]]
    return [cell for cell in first if not cell.startswith("**")]


def test_every_row_is_held_by_a_test() -> None:
    unheld = [row for row in rows() if not any(row.startswith(known) for known in HELD_BY)]
    gone = [known for known in HELD_BY if not any(row.startswith(known) for row in rows())]

    assert (unheld, gone) == ([], [])


@pytest.mark.parametrize("test", sorted({test for tests in HELD_BY.values() for test in tests}))
def test_the_tests_are_there(test: str) -> None:
    file, _, name = test.partition("::")
    module = ast.parse((ROOT / "tests" / file).read_text())

    assert name in {node.name for node in module.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_the_tree_is_the_family() -> None:
    family = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.DurableError)}
    tree = PAGE.split("```")[1]
    drawn = [(match.start(1) // 4, match.group(1)) for line in tree.splitlines() if (match := re.match(r"[│├└─ ]*(\w+)", line))]
    parents: list[str] = []

    for depth, name in drawn:
        parents[depth:] = [name]
        assert depth == 0 or getattr(errors, parents[depth - 1]) in getattr(errors, name).__bases__, f"{name} stands at the wrong place"
    assert {name for _, name in drawn} == family


# -- rows that no other test holds ----------------------------------------------


def test_a_failed_attempt_suspends_and_is_tried_again_and_so_is_one_that_took_too_long() -> None:
    async def slow() -> None:
        await asyncio.sleep(60)

    async def handler(event: object, ctx: DurableContext) -> str:
        try:
            await ctx.step(slow, timeout=5, retry=Retry.fixed(100, max_attempts=3))
        except StepTimeout as error:
            return str(error)
        return "in time"

    ran = run_handler(handler, warm=False)

    assert ran.result == "the attempt took longer than 5 s"
    assert ran.seconds == pytest.approx(3 * 5 + 2 * 100, abs=0.1)
    assert [output and output.status for output in ran.run.outputs] == ["PENDING", "PENDING", "SUCCEEDED"]


def test_a_usage_error_in_a_step_is_not_tried_again() -> None:
    async def body() -> None:
        raise UsageError("no")

    async def handler(event: object, ctx: DurableContext) -> str:
        try:
            await ctx.step(body)
        except UsageError as error:
            return type(error).__name__
        return ""

    ran = run_handler(handler)

    assert (ran.result, ran.event_types.count("StepFailed")) == ("StepError", 1)


def test_a_cancellation_that_leaves_the_handler_fails_the_execution() -> None:
    async def handler(event: object, ctx: DurableContext) -> None:
        raise asyncio.CancelledError

    assert run_handler(handler).error[0] == "asyncio.exceptions.CancelledError"


def test_the_end_of_the_process_is_no_failure_of_a_step() -> None:
    async def body() -> None:
        raise SystemExit(3)

    async def handler(event: object, ctx: DurableContext) -> None:
        await ctx.step(body)

    loopback = Loopback(DurableHandler(handler))

    with pytest.raises(SystemExit):
        run_virtually(loopback.run())

    assert "StepFailed" not in [event.type for event in loopback.recorded.events]


def test_missing_credentials_fail_the_invocation_and_not_the_execution(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    def no_session(profile: str | None = None) -> None: ...

    monkeypatch.setattr("everstep.client.credentials.botocore_session", no_session)

    async def work() -> None: ...

    async def handler(event: object, ctx: DurableContext) -> None:
        await ctx.step(work)

    with pytest.raises(UsageError, match="AWS_ACCESS_KEY_ID"):
        durable(handler)(Lambda().event(), object())
