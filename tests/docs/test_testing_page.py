"""The tests on the page about testing are tests, and pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs import imagined
from tests.docs.snippets import ROOT, snippets_of

pytest_plugins = ("pytester",)

PAGE = ROOT / "docs" / "testing.md"


def test_the_tests_on_the_page_pass(pytester: pytest.Pytester) -> None:
    code = "".join(snippet.code for snippet in snippets_of(PAGE) if "cloud" not in snippet.code)  # which needs a server
    imagined_names = ", ".join(name for name in vars(imagined) if not name.startswith("_"))
    pytester.makepyfile(test_page=f"from tests.docs.imagined import {imagined_names}\n{code}")
    pytester.syspathinsert(ROOT)

    result = pytester.runpytest_inprocess("--everstep-update-snapshots")

    result.assert_outcomes(passed=code.count("def test_"))
    assert Path(pytester.path, "__snapshots__", "test_page").is_dir()
