"""Nothing that the documentation shows breaks a replay."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Final

import pytest

from everstep.lint.check import check
from tests.docs.snippets import PAGES, Snippet, snippets_of

BEFORE: Final = """
import asyncio, logging
import everstep
from everstep import Branch, Completion, DurableContext, Poll, Progress, Retry, SyncContext, durable, get_step_context
from tests.docs.imagined import *
"""
MODULES: Final = ("definitions", "run", "program", "theirs")
HANDLER_CODE: Final = ("handler", "before", "after", "refused")


def source_of(snippet: Snippet) -> str:
    if snippet.kind in MODULES:
        return BEFORE + snippet.code
    return BEFORE + "@durable\nasync def handler(event, ctx):\n" + textwrap.indent(snippet.code, "    ")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_the_pages_show_has_no_findings(page: Path) -> None:
    shown = [snippet for snippet in snippets_of(page) if snippet.kind in (*MODULES, *HANDLER_CODE)]

    found = {snippet.where: check(source_of(snippet), "page.py") for snippet in shown}

    assert {where: [one.message for one in some] for where, some in found.items() if some} == {}
