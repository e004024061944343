"""`everstep`: the command and what it can do."""

from __future__ import annotations

import sys


def main() -> None:
    """The entry point. The libraries of most commands are an extra, so that the SDK stays small; `lint` needs none."""
    if sys.argv[1:2] == ["lint"]:
        from everstep.cli.lint import lint

        sys.exit(lint(sys.argv[2:]))
    try:
        from everstep.cli.app import run
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] in ("rich", "typer", "starlette", "uvicorn"):
            sys.exit(f"the everstep command needs {error.name}, which is not installed: pip install 'everstep[server]'")
        raise
    run()


if __name__ == "__main__":
    main()
