"""Calls that must pass the type checkers, and calls that must not: `make types` checks both.

Rule: an ignore comment here is an expectation. mypy and pyright both report a `type: ignore` on a line where they find
nothing wrong, so a missing error is an error itself. Nothing here is ever run.
"""  # noqa: A005  # always imported as tests.typing
