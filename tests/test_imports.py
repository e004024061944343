"""What an import of everstep loads: users pay for it at each cold start, so the rest is loaded when it is first used."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import pytest

NEVER_WITH_THE_SDK: Final = ("everstep.cli", "everstep.service", "boto3", "botocore", "http.client", "http.server", "pydantic", "sqlite3")
NOT_BEFORE_USE: Final = (*NEVER_WITH_THE_SDK, "asyncio", "rich", "ssl", "starlette", "typer")

# What the interpreter itself loads at start-up (by .pth files of other packages) is not ours.
LOADED_BY: Final = """
import sys
before = set(sys.modules)
{statement}
print(*sorted(set(sys.modules) - before), sep="\\n")
"""


def loaded_by(statement: str) -> list[str]:
    """The modules that a fresh interpreter loads for the statement."""
    script = LOADED_BY.format(statement=statement)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


@pytest.mark.parametrize(
    ("statement", "refused"),
    [
        ("import everstep", NOT_BEFORE_USE),
        ("from everstep import durable, DurableContext", NEVER_WITH_THE_SDK),
        ("import everstep.pytest_plugin", ("asyncio.events", "everstep.handler", "everstep.histories", "everstep.service")),
        ("from everstep.testing import Runner", ("pytest", "everstep.cli", "everstep.server", "starlette", "sqlite3")),
    ],
)
def test_an_import_loads_only_what_it_needs(statement: str, refused: tuple[str, ...]) -> None:
    loaded = loaded_by(statement)

    unwanted = [name for name in refused if any(module == name or module.startswith(f"{name}.") for module in loaded)]
    assert "everstep" in loaded
    assert not unwanted, f"`{statement}` loads {', '.join(unwanted)}; `{sys.executable} -X importtime -c '{statement}'` shows through what"
