"""The Python in the documentation, block by block, and what each block is.

Rule: every ```python block of README.md and docs/*.md runs. A page is one module: what a block defines is there for the blocks
below it, and what a reader is asked to imagine (`charge`, `ask_manager`, …) comes from `imagined.py`. What a block is shows in
its code:

- it calls `asyncio.run`: a **program**; it is run as it stands, in virtual time;
- it awaits outside any function: **handler code**, the body of a handler of `(event, ctx)`, started with `imagined.EVENT`;
- anything else: **definitions**.

Where that does not say enough, a comment stands in the line above the block, invisible on the page:

    <!-- snippet: run order(Order("17", ["lamp"], 120)) -->   definitions; then this handler is run on this event
    <!-- snippet: handler -->                  handler code that awaits nothing
    <!-- snippet: raises UsageError -->        handler code that ends the execution with this error
    <!-- snippet: service -->                  code around a running `service`, with `order` registered and an `execution` of it
    <!-- snippet: before -->                   handler code as it was when executions began
    <!-- snippet: after -->                    what it became, over the last `before`: executions under way go on with it
    <!-- snippet: refused -->                  the same, but a ReplayMismatch
    <!-- snippet: theirs -->                   another SDK's code, or a receiver's: it need only be Python
    <!-- snippet: reported -->             the linter reports what is marked, see tests/lint/test_rules_page.py
    <!-- snippet: clean -->                the linter reports nothing

A block that can't run is not Python for us: leave the word `python` out of its fence.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias, cast, get_args

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

Kind: TypeAlias = Literal[
    "program", "definitions", "run", "handler", "raises", "service", "before", "after", "refused", "theirs", "reported", "clean"
]
_MARK: Final = "<!-- snippet: "


@dataclass(frozen=True, slots=True)
class Snippet:
    """A block. line: of its first line of code, from 1. argument: what its mark says after the kind."""

    page: Path
    line: int
    code: str
    kind: Kind
    argument: str = ""

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def placed_code(self) -> str:
        """The code on the lines where it stands on its page, so that tracebacks point there."""
        return "\n" * (self.line - 1) + self.code


def snippets_of(page: Path) -> Iterator[Snippet]:
    """The Python blocks of a page, in order."""
    lines = page.read_text().splitlines()
    mark = ""
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if line.startswith(_MARK):
            mark = line.removeprefix(_MARK).removesuffix("-->").strip()
        elif line.startswith("```"):
            end = lines.index("```", number)
            if line.removeprefix("```").split()[:1] == ["python"]:
                yield _snippet(page, number + 1, "\n".join(lines[number:end]) + "\n", mark)
            elif mark:
                raise ValueError(f"{page.name}:{number}: a mark stands above a block that is not Python")
            mark, number = "", end + 1
        elif line and mark:
            raise ValueError(f"{page.name}:{number}: a mark stands above something that is no block")


def _snippet(page: Path, line: int, code: str, mark: str) -> Snippet:
    kind, _, argument = mark.partition(" ")
    if not kind:
        return Snippet(page, line, code, _kind_of(code))
    if kind not in get_args(Kind):
        raise ValueError(f"{page.name}:{line}: there is no kind of snippet called {kind!r}")
    return Snippet(page, line, code, cast("Kind", kind), argument)


def _kind_of(code: str) -> Kind:
    tree = ast.parse(code)
    if any(map(_awaits, tree.body)):
        return "handler"
    return "program" if "asyncio.run(" in code else "definitions"


def _awaits(node: ast.AST) -> bool:
    """Whether the code awaits something, functions inside it aside."""
    if isinstance(node, ast.Await | ast.AsyncWith | ast.AsyncFor):
        return True
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
        return False
    return any(map(_awaits, ast.iter_child_nodes(node)))


def as_function(snippet: Snippet, header: str) -> ast.Module:
    """A module that defines one function with the snippet as its body. header: `async def handler(event, ctx)`."""
    module = ast.parse(f"{header}: pass")
    (function,) = module.body
    assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
    function.body = ast.parse(snippet.placed_code).body
    return module
