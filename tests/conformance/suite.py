"""The published suite: its wheel, which holds the code, and the harness beside it, which runs that code against any server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent
BUILD: Final = ROOT / "build" / "conformance"
HARNESS: Final = Path(os.environ.get("EVERSTEP_CONFORMANCE") or ROOT.parent / "shared" / "conformance")
"""The directory of run_conformance.py and the requirements."""
NAME: Final = "aws-durable-execution-conformance-tests"


def known_wheel() -> Path | None:
    """Where the wheel is, if it is here."""
    named = os.environ.get("DURABLE_CONFORMANCE_SUITE")
    if named:
        return Path(named)
    return max(BUILD.glob(f"{NAME.replace('-', '_')}-*.whl"), default=None)


def wheel() -> Path:
    """The wheel, downloaded when it is not here. It wants a newer Python than its code needs, so it cannot be installed."""
    if (known := known_wheel()) is None:
        download = ["pip", "download", "--quiet", "--no-deps", "--python-version", "3.14", "--only-binary=:all:", "--dest", str(BUILD)]
        subprocess.run([sys.executable, "-m", *download, NAME], check=True)
        known = known_wheel()
    assert known is not None
    return known


if __name__ == "__main__":
    if HARNESS.is_dir():
        wheel()
