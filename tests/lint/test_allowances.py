"""Comments that allow rules: what they cover, and that they are held to a reason."""

from __future__ import annotations

import pytest

from everstep.lint.check import check

HANDLER = """\
import time
from everstep import DurableContext, durable

@durable
async def order(event: object, ctx: DurableContext) -> float:
    {first}
    {second}
"""


def found(first: str, second: str = "return 1.0", above: str = "") -> list[tuple[int, str]]:
    return [(one.line, one.rule_id) for one in check(above + HANDLER.format(first=first, second=second), "orders.py")]


def test_a_comment_behind_code_covers_its_line_alone() -> None:
    assert found("a = time.time()  # everstep: allow[EVS001] for the log", "return time.time()") == [(7, "EVS001")]


def test_a_comment_on_a_line_of_its_own_covers_the_next_line_of_code() -> None:
    assert found("# everstep: allow[EVS001] for the log\n\n    # more of it", "return time.time()") == []


def test_a_comment_covers_a_file_if_it_says_so() -> None:
    assert found("a = time.time()", "return time.time()", above="# everstep: allow-file[clock] a demonstration\n") == []


def test_rules_may_be_named_together_and_by_name() -> None:
    assert found("time.sleep(time.time())  # everstep: allow[clock, EVS008] a demonstration") == []


@pytest.mark.parametrize(
    ("comment", "says"),
    [
        ("allow[EVS001]", "gives no reason"),
        ("allow[EVS001] -", "gives no reason"),
        ("allow[] because", "names no rule"),
        ("allow because", "names no rule"),
        ("allow[EVS999] because", "there is no rule EVS999"),
        ("ignore[EVS001] because", "means nothing"),
    ],
)
def test_a_comment_that_is_wrong_allows_nothing_and_is_reported(comment: str, says: str) -> None:
    reported = check(HANDLER.format(first=f"a = time.time()  # everstep: {comment}", second="return a"), "orders.py")

    assert [one.rule_id for one in reported] == ["EVS001", "EVS090"]
    assert says in reported[1].message


def test_a_comment_that_allows_nothing_is_reported() -> None:
    assert found("a = 1.0  # everstep: allow[EVS001] it once read the clock") == [(6, "EVS091")]


def test_a_comment_for_a_rule_that_is_not_selected_is_left_alone() -> None:
    source = HANDLER.format(first="a = 1.0  # everstep: allow[EVS001] for the log", second="return a")

    assert check(source, "orders.py", {"EVS002", "EVS091"}) == []


def test_a_comment_that_only_begins_with_the_name_is_none() -> None:
    assert found("a = 1.0  # everstep: the service keeps this") == []


def test_text_that_looks_like_a_comment_is_none() -> None:
    assert found('a = "# everstep: allow[EVS001]"') == []


def test_comments_count_in_files_without_handlers_too() -> None:
    assert [one.rule_id for one in check("a = 1  # everstep: allow[EVS001] for the log\n", "a.py")] == ["EVS091"]
