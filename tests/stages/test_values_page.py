"""The page on values says what is true: its snippets run, one after another."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Final

import pytest

import everstep.stages

PAGE: Final = Path(__file__).parents[2] / "docs" / "values.md"


def test_the_snippets_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    snippets = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(snippets) > 5
    names: dict[str, object] = {"__name__": "values"}

    for snippet in snippets:
        exec(compile(snippet, str(PAGE), "exec", dont_inherit=True), names)


def test_every_stage_is_on_the_page() -> None:
    page = PAGE.read_text()

    assert [name for name in everstep.stages.__all__ if name not in page] == []
