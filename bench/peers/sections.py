"""RESULTS.md has a section for each benchmark, which replaces its own and leaves the others as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

PATH: Final = Path("bench/RESULTS.md")
TITLE: Final = "# Results beside the peers\n"


def write_section(name: Literal["sdk", "service"], text: str, path: Path = PATH) -> None:
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    section = f"{begin}\n\n{text.strip()}\n\n{end}\n"
    before = path.read_text() if path.exists() else TITLE
    if begin in before:
        head, _, rest = before.partition(begin)
        path.write_text(head + section + rest.partition(f"{end}\n")[2])
    else:
        path.write_text(f"{before}\n{section}")
