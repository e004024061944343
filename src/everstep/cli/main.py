"""`everstep`: the command and what it can do."""

from __future__ import annotations

import sys


def main() -> None:
    """The entry point. Its libraries are an extra, so that the SDK stays small."""
    try:
        from everstep.cli.server import app
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] in ("typer", "starlette", "uvicorn"):
            sys.exit(f"the everstep command needs {error.name}, which is not installed: pip install 'everstep[server]'")
        raise
    app()


if __name__ == "__main__":
    main()
