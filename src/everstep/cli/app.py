"""The commands that need `everstep[server]`, as one application, and the help of all."""

from __future__ import annotations

import typer

from everstep.cli.callback import callbacks
from everstep.cli.compare import compare
from everstep.cli.delete import delete
from everstep.cli.dev import dev
from everstep.cli.estimate import estimate
from everstep.cli.export import export
from everstep.cli.fork import fork
from everstep.cli.history import history
from everstep.cli.lint import lint
from everstep.cli.list import list_executions
from everstep.cli.pause import pause
from everstep.cli.resume import resume
from everstep.cli.run import run_handler
from everstep.cli.run_again import run_again
from everstep.cli.server import server
from everstep.cli.show import show
from everstep.cli.start import start
from everstep.cli.stop import stop
from everstep.cli.verify import verify
from everstep.cli.watch import watch
from everstep.cli.worker import print_worker_environment, worker


def run() -> None:
    """Run the command that the process was given."""
    application()()


def application() -> typer.Typer:
    """The application, with all its commands."""
    app = typer.Typer(help="Durable execution for Python.", no_args_is_help=True, pretty_exceptions_enable=False)
    app.command()(server)
    app.command()(worker)
    app.command("worker-environment")(print_worker_environment)
    app.command("run")(run_handler)
    app.command()(dev)
    app.command()(start)
    app.command("list")(list_executions)
    app.command()(show)
    app.command()(history)
    app.command()(watch)
    app.add_typer(callbacks(), name="callback")
    app.command()(compare)
    app.command()(fork)
    app.command()(stop)
    app.command("run-again")(run_again)
    app.command()(pause)
    app.command()(resume)
    app.command()(delete)
    app.command()(verify)
    app.command()(export)
    app.command()(estimate)
    app.command("lint", add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(_lint)
    return app


def _lint(context: typer.Context) -> None:
    """Find what breaks replay in handler code."""
    raise typer.Exit(lint(context.args))
