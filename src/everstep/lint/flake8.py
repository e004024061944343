"""The rules as a plugin of flake8, under their own ids.

Rule: what is allowed by a comment of ours, or deselected by flake8's options, is not reported; flake8 does the rest.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Final

from everstep.lint.check import findings


class Plugin:
    """Made by flake8 for each file."""

    name: Final = "everstep"
    version: Final = version("everstep")

    def __init__(self, tree: ast.Module, lines: Sequence[str], filename: str) -> None:
        self._tree = tree
        self._text = "".join(lines)
        self._path = filename

    def run(self) -> Iterator[tuple[int, int, str, type[Plugin]]]:
        """(line, column from 0, text, type)"""
        for one in findings(self._tree, self._text, self._path):
            yield one.line, one.column - 1, f"{one.rule_id} {one.message}", Plugin
