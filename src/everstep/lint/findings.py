"""What the linter finds: where, which rule, and what it says.

Rule: places are as editors count them, lines and columns from 1, columns in characters.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One report of one rule. The end is after the last character; excerpt is the source line of the beginning."""

    path: str
    line: int
    column: int
    rule_id: str
    name: str
    message: str
    end_line: int
    end_column: int
    excerpt: str = ""
