"""`everstep server`."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from contextlib import AsyncExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from everstep.cli.connecting import AsJson, failing_well
from everstep.errors import DurableError, UsageError
from everstep.server.log_lines import LogFormat, LogLevel, configure

if TYPE_CHECKING:
    from everstep.server.certificate import Certificate
    from everstep.server.declared import FunctionDeclaration
    from everstep.server.serving import Server


def server(
    handlers: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=]MODULE:HANDLER", help="Functions to run in the server's process.")
    ] = None,
    store: Annotated[str, typer.Option(help="sqlite:///file.db, postgresql://user@host/database or memory://", envvar="EVERSTEP_STORE")] = (
        "sqlite:///everstep.db"
    ),
    functions: Annotated[Path | None, typer.Option(help="A YAML, TOML or JSON file that declares functions.")] = None,
    host: Annotated[str, typer.Option(help="The address to listen on. Others than loopback ones need --credentials.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 9000,
    credentials: Annotated[
        Path | None,
        typer.Option(help="A YAML, TOML or JSON file of access keys, to sign requests with.", envvar="EVERSTEP_CREDENTIALS"),
    ] = None,
    without_credentials: Annotated[
        bool, typer.Option(help="Listen to other machines although whoever reaches the port can do everything.")
    ] = False,
    webhooks: Annotated[Path | None, typer.Option(help="A YAML, TOML or JSON file of whom to tell when executions begin and end.")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Speak TLS: the certificate, and its chain, as PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="The certificate's key, as PEM.")] = None,
    execution_timeout: Annotated[
        int,
        typer.Option(min=1, help="Seconds from start to end, for functions that don't say. Up to 900 they can be invoked synchronously."),
    ] = 900,
    logs_dir: Annotated[Path | None, typer.Option(help="A file for what each function's processes write and its handlers log.")] = None,
    allow_unqualified: Annotated[bool, typer.Option(help="Take $LATEST where a durable function is invoked without qualifier.")] = False,
    grace: Annotated[float, typer.Option(min=0, help="Seconds that invocations may go on when the server stops.")] = 10.0,
    region: Annotated[str, typer.Option(help="As it appears in ARNs.")] = "us-east-1",
    account: Annotated[str, typer.Option(help="As it appears in ARNs.")] = "123456789012",
    log_format: Annotated[
        LogFormat, typer.Option(help="Lines of text, with all that is known or in brief, or a JSON object on each.")
    ] = "text",
    log_level: Annotated[LogLevel, typer.Option(help="The least that is logged.")] = "info",
    check: Annotated[
        bool, typer.Option("--check", help="Serve nothing: check the store, say what is wrong, and exit 0 (nothing), 1 or 2 (could not).")
    ] = False,
    json: AsJson = False,
) -> None:
    """Serve the Lambda durable functions API. With --json a line of JSON on standard output says where, once it does."""
    if check:
        raise SystemExit(_check(store, as_json=json))
    from everstep.cli import showing
    from everstep.cli.loop import run as serve
    from everstep.cli.loop import settle
    from everstep.server.access.keys import read_credentials
    from everstep.server.declared import function_of, read_functions
    from everstep.server.logs import logging_to
    from everstep.server.serving import serving
    from everstep.server.webhooks.declared import read_webhooks

    configure(log_format, log_level)

    async def run(output: TextIO) -> None:
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
            keys=read_credentials(credentials) if credentials is not None else (),
            without_credentials=without_credentials,
            certificate=_certificate(tls_cert, tls_key),
            grace_s=grace,
            webhooks=read_webhooks(webhooks) if webhooks is not None else (),
        )
        async with AsyncExitStack() as stack:
            if logs_dir is not None:
                stack.enter_context(logging_to(logs_dir))
            running = await stack.enter_async_context(serves)
            settle()
            _tell(log_format, _where(running))
            if json:
                showing.print_json_line(_as_json(running), output)
            await until_signal()
            _tell(log_format, "everstep server is stopping")

    with failing_well("server"), showing.prints_aside() if json else nullcontext(sys.stdout) as output:
        serve(run(output))


def _in_process(handler: str) -> FunctionDeclaration:
    from everstep.server.declared import FunctionDeclaration

    name, target = named(handler)
    return FunctionDeclaration(name=name, handler=target)


def _certificate(chain: Path | None, key: Path | None) -> Certificate | None:
    """Raises UsageError."""
    from everstep.server.certificate import Certificate

    if chain is None and key is None:
        return None
    if chain is None or key is None:
        raise UsageError("TLS needs both --tls-cert and --tls-key")
    return Certificate(chain, key)


def _where(running: Server) -> str:
    names = ", ".join(function.name for function in running.backend.catalog) or "none yet"
    return f"everstep server answers at {running.url}, functions: {names}\nconsole: {running.url}/console/"


def _as_json(running: Server) -> dict[str, object]:
    functions = [function.name for function in running.backend.catalog]
    return {"Url": running.url, "ConsoleUrl": f"{running.url}/console/", "Functions": functions}


def _tell(log_format: LogFormat, text: str) -> None:
    """As text whatever the level; but among JSON lines nothing else may stand."""
    if log_format == "json":
        logging.getLogger("everstep.server").info(text)
    else:
        typer.echo(text, err=True)


def _check(store: str, *, as_json: bool) -> int:
    from everstep.cli import check

    try:
        report = check.checked(store)
    except DurableError as error:
        typer.echo(f"everstep server --check: {error}", err=True)
        return 2
    typer.echo(check.as_json(report) if as_json else "\n".join(check.as_text(report)))
    return 1 if report.faults else 0


def named(handler: str) -> tuple[str, str]:
    """A function's name and where its code is: `NAME=MODULE:HANDLER`, or the handler's own name."""
    name, equals, target = handler.partition("=")
    return (name, target) if equals else (handler.rpartition(":")[2], handler)


async def until_signal() -> None:
    """Returns when the process is asked to stop, by SIGINT or SIGTERM. A second signal ends it at once, by the system's own means.

    Python's would be a KeyboardInterrupt, which is lost if it is raised where an event loop or a destructor passes errors over.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    try:
        await stopped.wait()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
