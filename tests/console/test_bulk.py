"""What is done to many executions at once."""

from __future__ import annotations

import re
import time

from hypothesis import given
from hypothesis import strategies as st

from everstep.console.searches import Search, search
from everstep.console.values import STATUSES
from tests.console.functions import HOSTILE
from tests.console.visiting import Visitor, ended, start, waiting
from tests.server.running import Running, status_of, until


def names_of(server: Running, function: str, status: str) -> list[str]:
    listed = server.client.list_durable_executions_by_function(FunctionName=function, Qualifier="$LATEST", Statuses=[status])
    return [one["DurableExecutionName"] for one in listed["DurableExecutions"]]


def sent_by(page: str) -> list[tuple[str, str]]:
    """The hidden fields of a page's form, without the proof."""
    found: list[tuple[str, str]] = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)
    return [(name, value) for name, value in found if name != "proof"]


def counting_one(visitor: Visitor, path: str) -> str:
    """The page, as soon as it counts one: what begins in the millisecond of the count is not counted."""
    pages: list[str] = []

    def counts() -> bool:
        pages.append(visitor.get(path).text)
        return ": 1 execution<" in pages[-1]

    until(counts, "the count")
    return pages[-1]


def test_chosen_executions_are_stopped_and_what_could_not_be_is_said(server: Running, visitor: Visitor) -> None:
    first, second = (waiting(server, start(server, "sleeper"), "InvocationCompleted") for _ in range(2))
    over = "arn:aws:lambda:us-east-1:123456789012:function:sleeper:$LATEST/durable-execution/none/none"
    visitor.get("/")

    page = visitor.post("/bulk", ("verb", "stop"), ("arn", first), ("arn", second), ("arn", over))

    assert "2 of 3 stopped" in page.text
    assert status_of(server.client, first) == status_of(server.client, second) == "STOPPED"


def test_chosen_executions_are_run_again_with_the_same_input(server: Running, visitor: Visitor) -> None:
    arns = [ended(server, start(server, "priced", number)) for number in (1, 2)]
    before = len(names_of(server, "priced", "SUCCEEDED")) + len(names_of(server, "priced", "RUNNING"))
    visitor.get("/")

    page = visitor.post("/bulk", ("verb", "again"), *(("arn", arn) for arn in arns))

    assert "2 of 2 run again" in page.text
    assert len(names_of(server, "priced", "SUCCEEDED")) + len(names_of(server, "priced", "RUNNING")) == before + 2


def test_all_that_match_are_counted_and_then_no_others_are_stopped(server: Running, visitor: Visitor) -> None:
    name = f"many-{time.time_ns()}"
    matching = waiting(server, start(server, "sleeper", None, name), "InvocationCompleted")
    over = ended(server, start(server, "quick", None, name))
    counted = counting_one(visitor, f"/bulk/stop?name={name}")
    later = waiting(server, start(server, "approval", None, name), "InvocationCompleted")

    page = visitor.post("/bulk/stop", *sent_by(counted))

    assert "1 of 1 stopped" in page.text
    assert status_of(server.client, matching) == "STOPPED"
    assert status_of(server.client, later) == "RUNNING"
    assert status_of(server.client, over) == "SUCCEEDED"


def test_no_more_are_run_again_than_were_counted(server: Running, visitor: Visitor) -> None:
    name = f"failed-{time.time_ns()}"
    ended(server, start(server, "failing", 7, name))
    counted = counting_one(visitor, f"/bulk/again?name={name}&error=ValueError")

    page = visitor.post("/bulk/again", *sent_by(counted))

    assert "called " + name in counted
    assert "1 of 1 run again" in page.text


def test_where_nothing_matches_there_is_nothing_to_confirm(visitor: Visitor) -> None:
    assert "nothing matches" in visitor.get("/bulk/stop?status=FAILED").text
    assert "<form method" not in visitor.get("/bulk/again?name=nobody").text.partition("<main")[2]


def test_acts_that_are_not_whole_are_refused(visitor: Visitor) -> None:
    visitor.get("/")

    assert visitor.get("/bulk/dance").status == 404
    assert visitor.get("/bulk/stop?after=soon").status == 400
    assert visitor.post("/bulk", ("verb", "dance")).status == 400
    assert visitor.post("/bulk/stop", ("count", "3"), ("status", "RUNNING")).status == 400
    assert visitor.post("/bulk/stop", ("count", "all"), ("before", "2026-01-01T00:00")).status == 400


def test_a_hostile_search_is_text(visitor: Visitor) -> None:
    page = visitor.get("/bulk/stop?error=%3Cimg%20src=x%3E%22").text

    assert "&lt;img src=x&gt;" in page
    assert "<img" not in page


fields = st.dictionaries(
    st.sampled_from(["function", "name", "error", "waiting"]), st.text(min_size=1).filter(lambda text: text == text.strip() != "")
)


@given(fields, st.lists(st.sampled_from(STATUSES), unique=True))
def test_a_search_says_the_same_in_every_form(kept: dict[str, str], statuses: list[str]) -> None:
    wanted = search(lambda name: kept.get(name, ""), statuses)

    assert wanted == Search(wanted.kept, statuses)
    assert len(wanted.asked()) == len(kept) + len(statuses)
    assert set(wanted.among(STATUSES).statuses) <= set(statuses or STATUSES)


def test_a_search_is_put_into_words() -> None:
    wanted = Search({"name": HOSTILE, "after": "2026-11-24T15:30"}, ["TIMED_OUT"])

    assert wanted.words() == f"timed out, called {HOSTILE}, started after 2026-11-24T15:30 UTC"
    assert Search({"waiting": "ask", "kind": "CALLBACK"}).words() == "waiting in ask, waiting for a callback"


def test_what_has_ended_waits_for_nothing() -> None:
    assert Search({"waiting": "ask"}).among(["FAILED", "RUNNING"]).statuses == ["RUNNING"]
