"""`everstep run`: one execution of a handler at hand, in this process."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from everstep.cli.connecting import AsJson, failing_well
from everstep.cli.start import read_json
from everstep.errors import UsageError
from everstep.server.log_lines import LogLevel

if TYPE_CHECKING:
    from everstep.cli.following import Record
    from everstep.server.catalog import Function


def run_handler(
    handler: Annotated[str, typer.Argument(metavar="MODULE:HANDLER", help="The handler to run.")],
    input: Annotated[str, typer.Option(help="JSON; @FILE, or - for standard input.")] = "null",  # noqa: A002  # the option's name
    store: Annotated[str, typer.Option(help="sqlite:///file.db, where an interrupted run goes on; else nothing is kept.")] = "memory://",
    name: Annotated[str | None, typer.Option(help="Of the execution: with a store, the same name and input goes on with it.")] = None,
    json: AsJson = False,
    log_level: Annotated[LogLevel, typer.Option(help="The least that is logged.")] = "warning",
) -> None:
    """Run a handler to its end, showing its operations as they go on. Exit code 1 if it does not succeed."""
    from everstep.cli import following, showing
    from everstep.cli.connecting import Place
    from everstep.cli.serving_here import serving_here
    from everstep.server.log_lines import configure

    with failing_well("run"):
        payload = read_json(input)
        with ExitStack() as stack:
            if json:
                stack.enter_context(showing.prints_aside())
            function = _function(handler)
            show = _say_nothing if json else stack.enter_context(following.shown())
            configure("brief", log_level)  # now, so that what is logged stands above the tree
            url = stack.enter_context(serving_here(store, [function]))
            api = stack.enter_context(Place(url, None, None).api("run"))
            arn = api.start(f"{function.name}:$LATEST", payload, name=name)
            try:
                record = following.follow(api, arn, show=show, url=url)
            except KeyboardInterrupt:
                raise _interrupted(store, arn, name) from None
            description = api.describe(arn)
        if json:
            showing.print_json(following.in_full(description, record))
        else:
            showing.console().print(showing.tree(record.lines()))
    raise typer.Exit(0 if record.status == "SUCCEEDED" else 1)


def _say_nothing(record: Record, url: str | None) -> None: ...


def _function(handler: str) -> Function:
    """The handler as a function that is served. Raises UsageError."""
    from everstep.cli.server import named
    from everstep.protocol.limits import MAX_EXECUTION_TIMEOUT_S
    from everstep.server.declared import FunctionDeclaration, function_of

    name, target = named(handler)
    function = function_of(FunctionDeclaration(name=name, handler=target), default_timeout_s=MAX_EXECUTION_TIMEOUT_S, logs=None)
    if function.versions["$LATEST"].configuration.durable is None:
        raise UsageError(f"{target} is a plain function: decorate it with @durable")
    return function


def _interrupted(store: str, arn: str, name: str | None) -> typer.Exit:
    kept = name or arn.split("/")[-2]
    hint = (
        "nothing is kept without --store" if store == "memory://" else f"it goes on with --store {store} --name {kept} and the same input"
    )
    typer.echo(f"everstep run: interrupted; {hint}", err=True)
    return typer.Exit(130)
