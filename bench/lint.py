"""How long `everstep lint` takes for 10,000 lines of handler code: `python -m bench.lint`. The aim is under two seconds.

The lines are those of our examples, over and over, which is more handler code than a program has.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Final

from everstep.lint.check import check

EXAMPLES: Final = Path(__file__).parent.parent / "examples"
LINES: Final = 10_000
ROUNDS: Final = 5


def main() -> None:
    """Print the figure."""
    sources = [path.read_bytes() for path in sorted(EXAMPLES.rglob("*.py"))]
    lines = sum(source.count(b"\n") for source in sources)
    seconds: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        found = [one for source in sources for one in check(source, "example.py")]
        seconds.append((time.perf_counter() - began) / lines * LINES)
        assert not found
    print(
        f"lint of {LINES:,} lines: {statistics.median(seconds):.2f} s, at best {min(seconds):.2f} s ({len(sources)} files, {lines:,} lines)"
    )


if __name__ == "__main__":
    main()
