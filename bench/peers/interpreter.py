"""The interpreter of all that is measured in a run, and virtual environments of it.

Rule: an environment of another interpreter, left by an earlier run, is made anew: figures are of the interpreter that they name.
"""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

_IDENTITY = "import sys; print(sys.version, sys.base_prefix)"
_DESCRIPTION = """
import platform, sysconfig
built = sysconfig.get_config_var("CONFIG_ARGS") or ""
told = [flag for flag in ("--enable-optimizations", "--with-lto") if flag in built]
print(platform.python_version(), f"({' '.join(told)})" if told else "")
"""


def machine_and(python: str) -> str:
    """What a run is of: the interpreter, how it was built where that makes it faster, and the machine."""
    return f"Python {_said(python, _DESCRIPTION)}, {platform.system()} {platform.machine()}, {os.cpu_count()} processors"


def environment(folder: Path, python: str) -> Path:
    """The interpreter of a virtual environment of `python` in that folder. Raises OSError or CalledProcessError."""
    own = folder / "bin/python"
    if not own.exists() or _said(str(own), _IDENTITY) != _said(python, _IDENTITY):
        subprocess.run([python, "-m", "venv", "--clear", str(folder)], check=True, capture_output=True, text=True)
    return own


def _said(python: str, program: str) -> str:
    return subprocess.run([python, "-c", program], check=True, capture_output=True, text=True).stdout.strip()
