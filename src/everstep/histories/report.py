"""Verdicts, as people and machines read them.

Rule: each format says the same: which recordings the code may go on with, and for the others what is recorded, what the code
asks for, where, and what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from everstep.histories.verification import Divergence, Verdict

Format: TypeAlias = Callable[[Sequence[Verdict]], str]


def as_text(verdicts: Sequence[Verdict]) -> str:
    lines: list[str] = []
    for verdict in verdicts:
        divergence = verdict.divergence
        if divergence is None:
            lines.append(f"ok       {verdict.source} ({verdict.status}, {verdict.replayed} replayed): {verdict.then}")
        else:
            lines.append(f"DIVERGES {verdict.source} ({verdict.status}, {verdict.replayed} replayed)")
            lines += [f"         {line}" for line in explained(divergence)]
        lines += [f"         note: {remark}" for remark in verdict.remarks]
    diverged = sum(not verdict.is_ok for verdict in verdicts)
    lines.append(f"{len(verdicts)} histories, {f'{diverged} of which this code cannot go on with' if diverged else 'all fine'}")
    return "\n".join(lines) + "\n"


def explained(divergence: Divergence) -> list[str]:
    """The divergence, line by line."""
    lines = [f"{divergence.kind}: {divergence.path}" if divergence.path else divergence.kind]
    if divergence.recorded:
        lines.append(f"recorded: {divergence.recorded}")
    lines.append(f"asked:    {divergence.asked}")
    if divergence.where:
        lines.append(f"at:       {divergence.where}")
    if divergence.advice:
        lines.append(divergence.advice)
    return lines


def as_json(verdicts: Sequence[Verdict]) -> str:
    found = {"ok": all(verdict.is_ok for verdict in verdicts), "verdicts": verdicts}
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode() + "\n"


def as_junit(verdicts: Sequence[Verdict]) -> str:
    """A test suite whose cases are the recordings."""
    from xml.etree import ElementTree

    failures = sum(not verdict.is_ok for verdict in verdicts)
    suite = ElementTree.Element("testsuite", name="everstep verify", tests=str(len(verdicts)), failures=str(failures), errors="0")
    for verdict in verdicts:
        case = ElementTree.SubElement(suite, "testcase", classname="everstep.verify", name=verdict.source)
        if verdict.divergence is not None:
            failure = ElementTree.SubElement(case, "failure", message=explained(verdict.divergence)[0])
            failure.text = "\n".join(explained(verdict.divergence))
        elif verdict.remarks:
            ElementTree.SubElement(case, "system-out").text = "\n".join(verdict.remarks)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def as_github(verdicts: Sequence[Verdict]) -> str:
    """Annotations of a GitHub workflow, at the line of code where there is one."""
    lines: list[str] = []
    for verdict in verdicts:
        divergence = verdict.divergence
        if divergence is not None:
            file, _, line = (divergence.where or "").rpartition(":")
            place = f" file={_property(_below_here(file))},line={line}," if file else " "
            text = "\n".join([verdict.source, *explained(divergence)])
            lines.append(f"::error{place}title=everstep verify::{_message(text)}")
        lines += [f"::notice title=everstep verify::{_message(f'{verdict.source}: {remark}')}" for remark in verdict.remarks]
    return "".join(f"{line}\n" for line in lines)


def _below_here(file: str) -> str:
    """As seen from the working directory, if it is below that: from there GitHub looks for it."""
    path, here = Path(file), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else file


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")


FORMATS: Final[Mapping[str, Format]] = {"text": as_text, "json": as_json, "junit": as_junit, "github": as_github}
