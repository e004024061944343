"""What schemathesis makes of `/openapi.json`, sent to a server on SQLite: `python -m tests.fuzz.schema SECONDS`.

It knows the API by its description alone, so it also finds where the description and the server differ. Needs schemathesis: `make fuzz`.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Final

from tests.server.running import HERE, declared, running

CHECKS: Final = ("not_a_server_error", "response_schema_conformance", "status_code_conformance", "content_type_conformance")
"""Not that all is refused that the description does not allow: a member that is null counts as absent."""
LONG: Final = {"ExecutionTimeout": 901}
"""With which no Invoke waits for the end."""


def main() -> None:
    functions = [declared(name, handler=f"{HERE}:{name}", config=LONG) for name in ("quick", "approval")]
    functions += [declared("plain", handler=f"{HERE}:plain"), declared("pulled", config=LONG)]
    command = Path(sysconfig.get_path("scripts")) / "schemathesis"
    with tempfile.TemporaryDirectory() as folder, running(functions, f"sqlite:///{folder}/store.db") as server:
        options = ("--phases", "coverage,fuzzing", "--max-time", sys.argv[1], "--request-timeout", "6", "--suppress-health-check", "all")
        done = subprocess.run(
            [command, "run", f"{server.url}/openapi.json", *options, "--max-examples", "200", "--checks", ",".join(CHECKS)], check=False
        )
    raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()
