"""The examples of docs/lint-rules.md are the tests of the rules: what is marked is reported, and nothing else."""

from __future__ import annotations

import ast
import re
from typing import Final

import pytest

from everstep.lint.check import SUMMARIES, check
from tests.docs.snippets import ROOT, Snippet, snippets_of

PAGE: Final = ROOT / "docs" / "lint-rules.md"
TEXT: Final = PAGE.read_text()
BEFORE: Final = "from everstep import DurableContext, SyncContext, durable\n"
MARKS: Final = re.compile(r"  # (EVS\d{3}(?: EVS\d{3})*)$")
WITHOUT_EXAMPLE: Final = {"EVS000"}

EXAMPLES: Final = [snippet for snippet in snippets_of(PAGE) if snippet.kind in ("reported", "clean")]


def section_of(snippet: Snippet) -> str:
    """The id of the rule whose section the example stands in."""
    above = "\n".join(TEXT.splitlines()[: snippet.line])
    return str(re.findall(r"^## (EVS\d{3})", above, re.MULTILINE)[-1])


def marked(code: str) -> list[tuple[int, str]]:
    found = ((number, match[1]) for number, line in enumerate(code.splitlines(), 1) if (match := MARKS.search(line)))
    return sorted((number, rule) for number, rules in found for rule in rules.split())


@pytest.mark.parametrize("snippet", EXAMPLES, ids=[f"{section_of(one)}-{one.kind}-{one.line}" for one in EXAMPLES])
def test_what_is_marked_is_reported_and_nothing_else(snippet: Snippet) -> None:
    code = "\n".join(MARKS.sub("", line) for line in snippet.code.splitlines())

    found = check(BEFORE + code, "example.py")

    assert sorted((one.line - 1, one.rule_id) for one in found) == marked(snippet.code), "\n".join(one.message for one in found)


@pytest.mark.parametrize("rule_id", [rule_id for rule_id in SUMMARIES if rule_id not in WITHOUT_EXAMPLE])
def test_every_rule_has_an_example_that_it_reports_and_one_that_it_does_not(rule_id: str) -> None:
    kinds = {snippet.kind for snippet in EXAMPLES if section_of(snippet) == rule_id}
    reported = [rule for snippet in EXAMPLES if section_of(snippet) == rule_id for _, rule in marked(snippet.code)]

    assert kinds == {"reported", "clean"}
    assert rule_id in reported


def test_the_table_of_the_page_is_the_list_of_rules() -> None:
    rows = re.findall(r"^\| \[(EVS\d{3})\]\(#([\w-]+)\) \| `([\w-]+)` \| (.+) \|$", TEXT, re.MULTILINE)

    assert [(rule_id, name, summary) for rule_id, _, name, summary in rows] == [(key, *both) for key, both in SUMMARIES.items()]
    assert [anchor for _, anchor, _, _ in rows] == [f"{key}-{name}".lower() for key, (name, _) in SUMMARIES.items()]


def test_every_rule_has_a_section_in_the_order_of_the_list() -> None:
    assert re.findall(r"^## (EVS\d{3}) ([\w-]+)$", TEXT, re.MULTILINE) == [(key, name) for key, (name, _) in SUMMARIES.items()]


def test_examples_are_python() -> None:
    for snippet in EXAMPLES:
        ast.parse(snippet.code)
