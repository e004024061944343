"""Two executions side by side."""

from __future__ import annotations

import pytest

from tests.console.visiting import Visitor, ended, event_of, in_path, page_of, start, waiting
from tests.server.running import Running


@pytest.fixture(scope="module")
def two(server: Running) -> tuple[str, str]:
    """Of one function, with inputs that differ."""
    first, second = ended(server, start(server, "priced", 1, "first-one")), ended(server, start(server, "priced", 2, "second-one"))
    return first, second


def compared(first: str, second: str) -> str:
    return f"/compare/{in_path(first)}?with={in_path(second)}"


def test_two_executions_stand_side_by_side_with_what_differs(visitor: Visitor, two: tuple[str, str]) -> None:
    page = visitor.get(compared(*two)).text
    everything = visitor.get(f"{compared(*two)}&all=1").text

    assert "They differ in <strong>input, result</strong>" in page
    assert "The first difference is <strong>look_up</strong>, in result" in page
    assert page.index("first-one</a></h2>") < page.index("second-one</a></h2>")
    assert "2 differs, 1 same" in page
    assert ">rest<" not in page
    assert ">rest<" in everything
    assert f"/operation/{in_path(two[1])}?id=" in page


def test_an_execution_does_not_differ_from_itself(visitor: Visitor, two: tuple[str, str]) -> None:
    page = visitor.get(compared(two[0], two[0])).text

    assert "As a whole they are the same." in page
    assert "All operations are the same." in page


def test_one_that_goes_on_is_compared_with_what_there_is(server: Running, visitor: Visitor, two: tuple[str, str]) -> None:
    running = waiting(server, start(server, "sleeper"), "InvocationCompleted")

    page = visitor.get(compared(two[0], running)).text

    assert "1 right only" in page
    assert "not there" in page


def test_the_one_to_compare_with_is_chosen_among_those_of_the_function(visitor: Visitor, two: tuple[str, str]) -> None:
    page = visitor.get(f"/compare/{in_path(two[0])}").text
    by_name = visitor.get(f"/compare/{in_path(two[0])}?name=second-one").text

    assert f"/compare/{in_path(two[0])}" in visitor.get(page_of(two[0])).text
    assert f"?with={in_path(two[1])}" in page
    assert f"?with={in_path(two[0])}" not in page
    assert f"?with={in_path(two[1])}" in by_name
    assert "no other one of that name" in visitor.get(f"/compare/{in_path(two[0])}?name=nobody").text


def test_two_that_were_chosen_in_the_list_are_compared_the_older_one_first(visitor: Visitor, two: tuple[str, str]) -> None:
    visitor.get("/")

    answer = visitor.post("/compare", ("arn", two[1]), ("arn", two[0]))
    refused = visitor.post("/compare", ("arn", two[1]))

    assert answer.headers["location"] == f"/console{compared(*two)}"
    assert (refused.status, "1 were chosen" in refused.text) == (400, True)


def test_a_fork_is_compared_with_its_source(server: Running, visitor: Visitor, two: tuple[str, str]) -> None:
    step = event_of(server, two[0], "StepStarted")["Id"]
    visitor.get(page_of(two[0]))
    forked = visitor.post(f"/fork/{in_path(two[0])}", ("operation", step), ("from", "result"), ("name", "the-fork"), ("result", "9"))

    page = visitor.get(forked.headers["location"].removeprefix("/console")).text

    assert f'href="/console/compare/{in_path(two[0])}?with=' in page


def test_hostile_names_errors_and_payloads_are_text_in_a_comparison(server: Running, visitor: Visitor) -> None:
    one, other = (ended(server, start(server, "hostile", {"<img src=x>": number})) for number in (1, 2))

    page = visitor.get(f"{compared(one, other)}&all=1").text
    choice = visitor.get(f"/compare/{in_path(one)}?name=%3Cimg%20src=x%3E")

    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "<img" not in page
    assert "<img" not in choice.text


def test_what_is_not_there_cannot_be_compared(visitor: Visitor, two: tuple[str, str]) -> None:
    unknown = "arn:aws:lambda:us-east-1:123456789012:function:quick:$LATEST/durable-execution/none/none"

    assert visitor.get(compared(two[0], unknown)).status == 404
    assert visitor.get(compared(unknown, two[0])).status == 404
    assert visitor.get(compared(two[0], "nonsense")).status in (400, 404)
