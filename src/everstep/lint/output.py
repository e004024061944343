"""Findings as text, JSON, SARIF and commands of GitHub's workflows.

Rule: everything that a finding knows is in each form that has a place for it.
Source: SARIF 2.1.0 (OASIS), and GitHub's page on workflow commands.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from everstep.lint.check import SUMMARIES
from everstep.lint.findings import Finding


def as_text(found: Sequence[Finding]) -> str:
    """For people: a line each, and the source under it."""
    return "\n".join(_text(one) for one in found)


def _text(one: Finding) -> str:
    said = f"{one.path}:{one.line}:{one.column}: {one.rule_id} {one.name}: {one.message}"
    if not one.excerpt:
        return said
    width = max((one.end_column if one.end_line == one.line else len(one.excerpt.rstrip()) + 1) - one.column, 1)
    margin = " " * len(str(one.line))
    indent = "".join("\t" if character == "\t" else " " for character in one.excerpt[: one.column - 1])
    return f"{said}\n  {one.line} | {one.excerpt.rstrip()}\n  {margin} | {indent}{'^' * width}"


def as_json(found: Sequence[Finding]) -> str:
    """A list of objects."""
    return json.dumps(
        [
            {
                "path": one.path,
                "line": one.line,
                "column": one.column,
                "end_line": one.end_line,
                "end_column": one.end_column,
                "rule": one.rule_id,
                "name": one.name,
                "message": one.message,
            }
            for one in found
        ],
        indent=2,
    )


def as_sarif(found: Sequence[Finding]) -> str:
    """A log with one run, for tools that show results over code."""
    rules = [
        {"id": rule_id, "name": name, "shortDescription": {"text": summary}, "defaultConfiguration": {"level": "error"}}
        for rule_id, (name, summary) in SUMMARIES.items()
    ]
    index = {rule_id: number for number, rule_id in enumerate(SUMMARIES)}
    results = [
        {
            "ruleId": one.rule_id,
            "ruleIndex": index[one.rule_id],
            "level": "error",
            "message": {"text": one.message},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": _uri(one.path)},
                        "region": {
                            "startLine": one.line,
                            "startColumn": one.column,
                            "endLine": one.end_line,
                            "endColumn": one.end_column,
                        },
                    }
                }
            ],
        }
        for one in found
    ]
    run = {"tool": {"driver": {"name": "everstep lint", "rules": rules}}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}, indent=2)


def _uri(path: str) -> str:
    """As urllib's quote() writes it, which pure code has not."""
    safe = frozenset(b"/_.-~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    return "".join(chr(byte) if byte in safe else f"%{byte:02X}" for byte in path.encode())


def as_github(found: Sequence[Finding]) -> str:
    """Annotations on the lines of a pull request."""
    return "\n".join(
        f"::error file={_property(one.path)},line={one.line},endLine={one.end_line},col={one.column},endColumn={one.end_column},"
        f"title={_property(f'{one.rule_id} {one.name}')}::{_data(one.message)}"
        for one in found
    )


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


FORMATS: Final[Mapping[str, Callable[[Sequence[Finding]], str]]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "github": as_github,
}
