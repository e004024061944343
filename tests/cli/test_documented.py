"""Every command and option is on the page about the command line, or on the page that it names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import typer.main

from everstep.cli.app import application
from tests.docs.snippets import ROOT

PAGE = (ROOT / "docs" / "cli.md").read_text()
ELSEWHERE = {"server", "worker", "worker-environment", "verify", "export", "estimate", "lint"}
"""Their options are on pages of their own."""


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each by its words, with its long options."""
    root = typer.main.get_command(application())
    for name, command in getattr(root, "commands").items():  # noqa: B009  # a group's, whose class depends on typer's version
        inside = getattr(command, "commands", None)
        for words, one in [(name, command)] if inside is None else [(f"{name} {below}", one) for below, one in inside.items()]:
            yield words, [option for parameter in one.params for option in parameter.opts if option.startswith("--")]


FOUND = dict(commands())


@pytest.mark.parametrize("words", FOUND)
def test_a_command_and_its_options_are_on_the_page(words: str) -> None:
    assert f"everstep {words}" in PAGE or words == "worker-environment"
    if words not in ELSEWHERE:
        assert [option for option in FOUND[words] if f"`{option}" not in PAGE and f" {option}" not in PAGE] == []
