"""Findings that the source allows, with a reason: `# everstep: allow[EVS001] the clock is only logged`.

Rule: an allowance names rules and says why, and one that allows nothing is itself a finding. Behind code it covers its line; on a
line of its own, the next line of code; `allow-file` covers the file.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

_MARK: Final = "everstep:"
_COMMENT: Final = re.compile(r"#\s*everstep:\s*(?P<what>allow[\w-]*|[\w-]+(?=\[))\s*(?:\[(?P<rules>[^\]]*)\])?\s*(?P<reason>.*)")
"""Other comments may begin with our name, too."""
_BLANK: Final = frozenset({tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING})


@dataclass(frozen=True, slots=True)
class Allowance:
    """A comment that allows rules. covers: the line; None for the whole file. fault: what is wrong with it."""

    line: int
    column: int
    text: str
    covers: int | None
    rule_ids: frozenset[str]
    fault: str | None = None


def allowances(source: str, ids_by_name: Mapping[str, str]) -> list[Allowance]:
    """The allowances in a source. ids_by_name: the ids of rules by name and by id."""
    if _MARK not in source:
        return []
    found: list[tuple[tokenize.TokenInfo, bool]] = []
    code_lines: set[int] = set()
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT and _COMMENT.match(token.string):
                found.append((token, not token.line[: token.start[1]].strip()))
            elif token.type not in _BLANK and token.type != tokenize.ENDMARKER:
                code_lines.update(range(token.start[0], token.end[0] + 1))
    except (tokenize.TokenError, SyntaxError):
        pass  # what was read until then counts; the parser speaks of the rest
    last = max(code_lines, default=0)
    return [_allowance(token, _covered(token.start[0], code_lines, last, alone=alone), ids_by_name) for token, alone in found]


def _covered(line: int, code_lines: Collection[int], last: int, *, alone: bool) -> int:
    if not alone:
        return line
    return next((number for number in range(line + 1, last + 1) if number in code_lines), line)


def _allowance(token: tokenize.TokenInfo, covers: int, ids_by_name: Mapping[str, str]) -> Allowance:
    match = _COMMENT.match(token.string)
    assert match is not None
    what, listed, reason = match["what"], match["rules"] or "", match["reason"].strip(" -:—")
    names = [name.strip() for name in listed.split(",") if name.strip()]
    unknown = [name for name in names if name not in ids_by_name]
    fault = None
    if what not in ("allow", "allow-file"):
        fault = f"`everstep: {what}` means nothing: write `# everstep: allow[RULE] reason`"
    elif not names:
        fault = f"`everstep: {what}` names no rule: write `# everstep: {what}[RULE] reason`"
    elif unknown:
        fault = f"there is no rule {unknown[0]}: `everstep lint --rules` lists those that there are"
    elif not reason:
        fault = f"`everstep: {what}[{listed}]` gives no reason: say behind it why a replay does the same"
    ids = frozenset(ids_by_name[name] for name in names if name in ids_by_name)
    where = None if what == "allow-file" else covers
    return Allowance(token.start[0], token.start[1], token.string, where, ids if fault is None else frozenset(), fault)
