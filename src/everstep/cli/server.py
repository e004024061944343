"""`everstep server` and `everstep worker`."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from pathlib import Path
from typing import Annotated, Final

import typer

from everstep.errors import DurableError, UsageError

app: Final = typer.Typer(help="Durable execution for Python.", no_args_is_help=True, pretty_exceptions_enable=False)

_FOREVER: Final = float("inf")


@app.callback()
def everstep() -> None:
    """Durable execution for Python."""


@app.command()
def server(
    handlers: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=]MODULE:HANDLER", help="Functions to run in the server's process.")
    ] = None,
    store: Annotated[str, typer.Option(help="sqlite:///file.db, postgresql://user@host/database or memory://", envvar="EVERSTEP_STORE")] = (
        "sqlite:///everstep.db"
    ),
    functions: Annotated[Path | None, typer.Option(help="A YAML, TOML or JSON file that declares functions.")] = None,
    host: Annotated[str, typer.Option(help="The address to listen on. There is no authentication: keep it private.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 9000,
    execution_timeout: Annotated[
        int,
        typer.Option(min=1, help="Seconds from start to end, for functions that don't say. Up to 900 they can be invoked synchronously."),
    ] = 900,
    logs_dir: Annotated[Path | None, typer.Option(help="A file for the output of each function's processes.")] = None,
    allow_unqualified: Annotated[bool, typer.Option(help="Take $LATEST where a durable function is invoked without qualifier.")] = False,
    grace: Annotated[float, typer.Option(min=0, help="Seconds that invocations may go on when the server stops.")] = 10.0,
    region: Annotated[str, typer.Option(help="As it appears in ARNs.")] = "us-east-1",
    account: Annotated[str, typer.Option(help="As it appears in ARNs.")] = "123456789012",
) -> None:
    """Serve the Lambda durable functions API."""
    from everstep.server.declared import FunctionDeclaration, function_of, read_functions
    from everstep.server.serving import Server, serving

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)

    async def run() -> None:
        declared = [_in_process(handler) for handler in handlers or ()]
        declared += read_functions(functions) if functions is not None else ()
        if logs_dir is not None:
            logs_dir.mkdir(parents=True, exist_ok=True)
        known = [function_of(one, default_timeout_s=execution_timeout, logs=logs_dir) for one in declared]
        serves = serving(
            store,
            known,
            host=host,
            port=port,
            account=account,
            region=region,
            allow_unqualified=allow_unqualified,
            grace_s=grace,
        )
        async with serves as running:
            _tell(running)
            await _until_signal()
            typer.echo("everstep server is stopping", err=True)

    def _tell(running: Server) -> None:
        names = ", ".join(function.name for function in running.backend.catalog) or "none yet"
        typer.echo(f"everstep server answers at {running.url}, functions: {names}", err=True)

    def _in_process(handler: str) -> FunctionDeclaration:
        name, equals, target = handler.partition("=")
        return FunctionDeclaration(name=name if equals else handler.rpartition(":")[2], handler=target if equals else handler)

    try:
        asyncio.run(run())
    except (DurableError, OSError) as error:
        raise SystemExit(f"everstep server: {error}") from None


@app.command()
def worker(
    handler: Annotated[str, typer.Argument(metavar="MODULE:HANDLER", help="The function to run.")],
    server: Annotated[str, typer.Option(help="The server's URL.", envvar="EVERSTEP_SERVER")] = "http://127.0.0.1:9000",
    function: Annotated[str | None, typer.Option(help="The function's name on the server; NAME:VERSION serves that version alone.")] = None,
    region: Annotated[str, typer.Option(help="As the server has it.")] = "us-east-1",
) -> None:
    """Serve one function's invocations, one at a time, until interrupted."""
    from everstep.client.endpoint import parse_endpoint
    from everstep.server.environment import worker_environment
    from everstep.server.worker import Worker, load

    try:
        endpoint = parse_endpoint(server)
        if endpoint.is_tls:
            raise UsageError(f"workers speak plain HTTP, and {server!r} does not")
        name = function or handler.rpartition(":")[2]
        bare, _, version = name.partition(":")
        os.environ.update(worker_environment(endpoint.authority + endpoint.path, region, bare, version or "$LATEST"))
        os.environ["_HANDLER"] = handler
        Worker(f"{endpoint.authority}{endpoint.path}/runtime/{name}", load(handler)).run(_FOREVER)
    except DurableError as error:
        raise SystemExit(f"everstep worker: {error}") from None
    except KeyboardInterrupt:
        pass


async def _until_signal() -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    try:
        await stopped.wait()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)  # a second one means it
