"""Installs each system in an environment of its own. What cannot be installed is said, and the others are measured all the same."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.peers.field.page import Failed
from bench.peers.field.systems import ENVIRONMENTS
from bench.peers.interpreter import environment

RESTATE_SERVER: Final = "restate-server"


@dataclass(frozen=True, slots=True)
class Ready:
    python: Path
    versions: tuple[str, ...]
    programs: dict[str, str]
    """Environment variables that name programs."""


def prepare(name: str, build: Path, python: str) -> Ready | Failed:
    needed, folder = ENVIRONMENTS[name], build / name
    try:
        own = environment(folder, python)
        _run([str(own), "-m", "pip", "install", "--quiet", "--upgrade", *needed.pip])
        installed = {each["name"]: each["version"] for each in json.loads(_run([str(own), "-m", "pip", "list", "--format", "json"]))}
        programs: dict[str, str] = {}
        if needed.npm:
            # Their scripts send telemetry, or nothing that is needed.
            _run(["npm", "install", "--silent", "--no-save", "--ignore-scripts", "--prefix", str(folder), *needed.npm])
            modules = folder / "node_modules"
            for package in needed.npm:
                named = package.rpartition("@")[0]
                installed[named] = json.loads((modules / named / "package.json").read_text())["version"]
            programs["RESTATE_SERVER"] = str(next(modules.glob(f"@restatedev/*/bin/{RESTATE_SERVER}")))
    except (OSError, subprocess.CalledProcessError, StopIteration) as error:
        return Failed(f"could not be installed: {_why(error)}")
    return Ready(own, tuple(f"{each} {installed[each]}" for each in needed.shows), programs)


def _run(command: Sequence[str]) -> str:
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environ).stdout


def _why(error: Exception) -> str:
    if not isinstance(error, subprocess.CalledProcessError):
        return last_words(str(error) or type(error).__name__)
    return last_words(error.stderr)


def last_words(text: str) -> str:
    """The last line that says something, without what only this machine knows, fit for a cell of a table."""
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()] or lines
    return re.sub(r"\S+://\S+|(?<!\S)['\"]?/\S+", "…", errors[-1] if errors else "nothing is said why").replace("|", "/").strip()[:200]
