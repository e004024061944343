"""From the source of a file to its findings.

Rule: no source makes it fail. One that is not Python, or not in the encoding that it claims, is a finding.
"""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import Final

from everstep.lint.allowances import Allowance, allowances
from everstep.lint.dialects import DIALECTS
from everstep.lint.findings import Finding
from everstep.lint.program import Program
from everstep.lint.rule import Report
from everstep.lint.rules import RULES
from everstep.lint.scopes import Module

UNREADABLE: Final = ("EVS000", "unreadable", "the file is not Python that this interpreter reads")
WRONG_ALLOWANCE: Final = ("EVS090", "allowance", "a comment that allows a rule is wrong, or has no reason")
UNUSED_ALLOWANCE: Final = ("EVS091", "unused-allowance", "a comment allows a rule that finds nothing there")
OWN: Final = (UNREADABLE, WRONG_ALLOWANCE, UNUSED_ALLOWANCE)
"""What is found besides the rules, as (id, name, summary)."""

IDS: Final = {key: rule.id for rule in RULES for key in (rule.id, rule.name)} | {key: own[0] for own in OWN for key in own[:2]}
"""The ids by id and by name."""
SUMMARIES: Final = {rule.id: (rule.name, rule.summary) for rule in RULES} | {own[0]: own[1:] for own in OWN}
"""Name and summary by id."""
ALL: Final = frozenset(SUMMARIES)


def check(source: bytes | str, path: str, selected: Collection[str] = ALL) -> list[Finding]:
    """The findings in a source, in the order of their places. path: how they name it. selected: the ids of rules."""
    try:
        text = source if isinstance(source, str) else _decoded(source)
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        tree = None if _has_nothing(text) else _parsed(text)
    except (SyntaxError, ValueError, LookupError) as error:
        return _unreadable(error, path) if UNREADABLE[0] in selected else []
    except (RecursionError, MemoryError):
        return _unreadable(ValueError("it is nested too deeply"), path) if UNREADABLE[0] in selected else []
    return findings(tree, text, path, selected)


def findings(tree: ast.Module | None, text: str, path: str, selected: Collection[str] = ALL) -> list[Finding]:
    """The findings in a source that is parsed already; None if it can't have any of handler code."""
    lines = text.split("\n")
    given = allowances(text, IDS)
    found: list[Finding] = []
    if tree is not None and not _is_of_an_sdk(path):
        program = Program(Module(tree))
        for rule in RULES:
            if rule.id in selected:
                found += [_finding(report, rule.id, path, lines) for report in _once(rule.check(program))]
    used: set[tuple[Allowance, str]] = set()
    left: list[Finding] = []
    for one in found:
        allowing = [allowance for allowance in given if one.rule_id in allowance.rule_ids and allowance.covers in (None, one.line)]
        used.update((allowance, one.rule_id) for allowance in allowing)
        if not allowing:
            left.append(one)
    left += _about(given, used, path, lines, selected)
    return sorted(left)


def _has_nothing(text: str) -> bool:
    """Whether a source says nothing of an SDK; then it only has to be Python."""
    if any(dialect.package in text for dialect in DIALECTS):
        return False
    _parsed(text)
    return True


def _is_of_an_sdk(path: str) -> bool:
    """Whether a file is part of an SDK itself, whose own functions of contexts are no handler code."""
    parts = path.replace("\\", "/").split("/")
    packages = {dialect.package for dialect in DIALECTS}
    return any(inside in packages and outside in ("src", "site-packages") for outside, inside in pairwise(parts))


def _decoded(source: bytes) -> str:
    encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    return source.decode(encoding)


def _parsed(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes and comparisons in what is linted
        return ast.parse(text)


def _unreadable(error: Exception, path: str) -> list[Finding]:
    line, column, what = 1, 1, str(error) or type(error).__name__
    if isinstance(error, SyntaxError):
        line, column, what = error.lineno or 1, max(error.offset or 1, 1), error.msg
    message = f"the file can't be read as Python: {what}; nothing in it is checked"
    return [Finding(path, line, column, *UNREADABLE[:2], message, line, column)]


def _once(reports: Iterator[Report]) -> Iterator[Report]:
    seen: set[ast.AST] = set()
    for report in reports:
        if report.node not in seen:
            seen.add(report.node)
            yield report


def _finding(report: Report, rule_id: str, path: str, lines: Sequence[str]) -> Finding:
    node = report.node
    end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
    return Finding(
        path,
        node.lineno,
        _characters(lines, node.lineno, node.col_offset) + 1,
        rule_id,
        SUMMARIES[rule_id][0],
        report.message,
        end_line,
        _characters(lines, end_line, end_column) + 1,
        lines[node.lineno - 1] if node.lineno <= len(lines) else "",
    )


def _characters(lines: Sequence[str], line: int, column: int) -> int:
    """Columns of the parser count bytes of UTF-8."""
    text = lines[line - 1] if line <= len(lines) else ""
    return column if text.isascii() else len(text.encode()[:column].decode(errors="ignore"))


def _about(
    given: Sequence[Allowance], used: Collection[tuple[Allowance, str]], path: str, lines: Sequence[str], selected: Collection[str]
) -> Iterator[Finding]:
    for one in given:
        end = one.column + len(one.text) + 1
        place = (path, one.line, one.column + 1)
        if one.fault is not None and WRONG_ALLOWANCE[0] in selected:
            yield Finding(*place, *WRONG_ALLOWANCE[:2], one.fault, one.line, end, lines[one.line - 1])
        unused = sorted(rule_id for rule_id in one.rule_ids & frozenset(selected) if (one, rule_id) not in used)
        if unused and UNUSED_ALLOWANCE[0] in selected:
            message = f"{', '.join(unused)} finds nothing here: take the comment away"
            yield Finding(*place, *UNUSED_ALLOWANCE[:2], message, one.line, end, lines[one.line - 1])
