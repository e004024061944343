"""Going back in time from the console."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest

from tests.console.functions import HOSTILE
from tests.console.visiting import Seen, Visitor, ended, event_of, in_path, page_of, start
from tests.server.running import Running, status_of


@pytest.fixture(scope="module")
def priced(server: Running) -> str:
    return ended(server, start(server, "priced", 100))


def operation(server: Running, arn: str, kind: str) -> str:
    found: str = event_of(server, arn, kind)["Id"]
    return found


def reached(server: Running, answer: Seen) -> Any:
    """The execution that an answer leads to, at its end."""
    arn = unquote(answer.headers["location"].removeprefix("/console/executions/"))
    return server.client.get_durable_execution(DurableExecutionArn=ended(server, arn))


def test_each_operation_leads_to_the_form_that_forks_from_it(server: Running, visitor: Visitor, priced: str) -> None:
    step = operation(server, priced, "StepStarted")

    shown = visitor.get(f"/operation/{in_path(priced)}?id={step}").text
    form = visitor.get(f"/fork/{in_path(priced)}?operation={step}").text

    assert f"/fork/{in_path(priced)}?operation={step}" in shown
    assert "Fork at look_up" in form
    assert "\n100</textarea>" in form


def test_a_fork_begins_where_the_execution_stood(server: Running, visitor: Visitor, priced: str) -> None:
    step = operation(server, priced, "StepStarted")
    visitor.get(page_of(priced))

    answer = visitor.post(f"/fork/{in_path(priced)}", ("operation", step), ("from", "operation"), ("name", "once-more"), ("result", "1"))

    forked = reached(server, answer)
    assert (forked["DurableExecutionName"], forked["Result"]) == ("once-more", "200")
    page = visitor.get(page_of(forked["DurableExecutionArn"])).text
    assert f'Forked from</dt><dd><a href="/console{page_of(priced)}#op-{step}' in page


def test_a_fork_goes_on_after_another_result(server: Running, visitor: Visitor, priced: str) -> None:
    step = operation(server, priced, "StepStarted")
    visitor.get(page_of(priced))

    answer = visitor.post(f"/fork/{in_path(priced)}", ("operation", step), ("from", "result"), ("name", ""), ("result", "21"))

    assert reached(server, answer)["Result"] == "42"


def test_what_is_not_taken_is_still_in_the_form(server: Running, visitor: Visitor, priced: str) -> None:
    step = operation(server, priced, "StepStarted")
    visitor.get(page_of(priced))

    no_json = visitor.post(f"/fork/{in_path(priced)}", ("operation", step), ("from", "result"), ("name", "mine"), ("result", "{oops"))
    no_name = visitor.post(f"/fork/{in_path(priced)}", ("operation", step), ("from", "result"), ("name", "not a name"), ("result", "7"))

    assert (no_json.status, no_name.status) == (422, 422)
    assert "line 1, column 2" in no_json.text
    assert "{oops</textarea>" in no_json.text
    assert 'value="mine"' in no_json.text
    assert "cannot name an execution" in no_name.text
    assert "\n7</textarea>" in no_name.text


def test_a_wait_has_no_result_that_could_be_another(server: Running, visitor: Visitor, priced: str) -> None:
    form = visitor.get(f"/fork/{in_path(priced)}?operation={operation(server, priced, 'WaitStarted')}").text

    assert "The wait begins anew" in form
    assert "<textarea" not in form


def test_what_is_not_there_cannot_be_forked(visitor: Visitor, priced: str) -> None:
    assert visitor.get(f"/fork/{in_path(priced)}?operation=nobody").status == 404


def test_hostile_names_and_results_are_text_in_the_form(server: Running, visitor: Visitor) -> None:
    arn = ended(server, start(server, "hostile"))
    step = operation(server, arn, "StepStarted")
    form = visitor.get(f"/fork/{in_path(arn)}?operation={step}").text

    refused = visitor.post(
        f"/fork/{in_path(arn)}", ("operation", step), ("from", "result"), ("name", HOSTILE), ("result", f"</textarea>{HOSTILE}")
    )

    assert "Fork at &lt;img" in form
    assert refused.status == 422
    assert not any("<img" in page for page in (form, refused.text))
    assert "&lt;/textarea&gt;" in refused.text
    assert status_of(server.client, arn) == "FAILED"
