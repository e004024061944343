"""The commands that need `everstep[server]`, as one application, and the help of all."""

from __future__ import annotations

import typer

from everstep.cli.lint import lint
from everstep.cli.server import server
from everstep.cli.worker import print_worker_environment, worker


def run() -> None:
    """Run the command that the process was given."""
    app = typer.Typer(help="Durable execution for Python.", no_args_is_help=True, pretty_exceptions_enable=False)
    app.command()(server)
    app.command()(worker)
    app.command("worker-environment")(print_worker_environment)
    app.command("lint", add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(_lint)
    app()


def _lint(context: typer.Context) -> None:
    """Find what breaks replay in handler code."""
    raise typer.Exit(lint(context.args))
