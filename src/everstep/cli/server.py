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
    host: Annotated[str, typer.Option(help="The address to listen on. Others than loopback ones need --credentials.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 9000,
    credentials: Annotated[
        Path | None,
        typer.Option(help="A YAML, TOML or JSON file of access keys, to sign requests with.", envvar="EVERSTEP_CREDENTIALS"),
    ] = None,
    without_credentials: Annotated[
        bool, typer.Option(help="Listen to other machines although whoever reaches the port can do everything.")
    ] = False,
    tls_cert: Annotated[Path | None, typer.Option(help="Speak TLS: the certificate, and its chain, as PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="The certificate's key, as PEM.")] = None,
    execution_timeout: Annotated[
        int,
        typer.Option(min=1, help="Seconds from start to end, for functions that don't say. Up to 900 they can be invoked synchronously."),
    ] = 900,
    logs_dir: Annotated[Path | None, typer.Option(help="A file for the output of each function's processes.")] = None,
    allow_unqualified: Annotated[bool, typer.Option(help="Take $LATEST where a durable function is invoked without qualifier.")] = False,
    grace: Annotated[float, typer.Option(min=0, help="Seconds that invocations may go on when the server stops.")] = 10.0,
    region: Annotated[str, typer.Option(help="As it appears in ARNs.")] = "us-east-1",
    account: Annotated[str, typer.Option(help="As it appears in ARNs.")] = "123456789012",
    check: Annotated[
        bool, typer.Option("--check", help="Serve nothing: check the store, say what is wrong, and exit 0 (nothing), 1 or 2 (could not).")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="With --check: say it as JSON.")] = False,
) -> None:
    """Serve the Lambda durable functions API."""
    if check:
        raise SystemExit(_check(store, as_json=json))
    if json:
        raise SystemExit("everstep server: --json goes with --check")
    from everstep.server.access.keys import read_credentials
    from everstep.server.certificate import Certificate
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
            keys=read_credentials(credentials) if credentials is not None else (),
            without_credentials=without_credentials,
            certificate=_certificate(),
            grace_s=grace,
        )
        async with serves as running:
            _tell(running)
            await _until_signal()
            typer.echo("everstep server is stopping", err=True)

    def _certificate() -> Certificate | None:
        if tls_cert is None and tls_key is None:
            return None
        if tls_cert is None or tls_key is None:
            raise UsageError("TLS needs both --tls-cert and --tls-key")
        return Certificate(tls_cert, tls_key)

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


def _check(store: str, *, as_json: bool) -> int:
    from everstep.cli import check

    try:
        report = check.checked(store)
    except DurableError as error:
        typer.echo(f"everstep server --check: {error}", err=True)
        return 2
    typer.echo(check.as_json(report) if as_json else "\n".join(check.as_text(report)))
    return 1 if report.faults else 0


@app.command()
def worker(
    handler: Annotated[str, typer.Argument(metavar="MODULE:HANDLER", help="The function to run.")],
    server: Annotated[str, typer.Option(help="The server's URL.", envvar="EVERSTEP_SERVER")] = "http://127.0.0.1:9000",
    function: Annotated[str | None, typer.Option(help="The function's name on the server; NAME:VERSION serves that version alone.")] = None,
    region: Annotated[str, typer.Option(help="As the server has it.")] = "us-east-1",
    ca_bundle: Annotated[
        Path | None, typer.Option(help="Certificates of authorities to trust, instead of the system's.", envvar="AWS_CA_BUNDLE")
    ] = None,
) -> None:
    """Serve one function's invocations, one at a time, until interrupted.

    It signs with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a key of the role worker, if the server asks for credentials.
    """
    from everstep.client.credentials import credentials_in
    from everstep.client.endpoint import Endpoint, parse_endpoint
    from everstep.server.access.worker_tokens import runtime_path
    from everstep.server.environment import some_credentials, worker_environment
    from everstep.server.worker import Worker, load

    try:
        endpoint = parse_endpoint(server)
        name = function or handler.rpartition(":")[2]
        bare, _, version = name.partition(":")
        os.environ.update(worker_environment(server.rstrip("/"), region, bare, version or "$LATEST"))
        os.environ.update(some_credentials(os.environ))
        os.environ["_HANDLER"] = handler
        if ca_bundle is not None:
            os.environ["AWS_CA_BUNDLE"] = str(ca_bundle)
        api = Endpoint(endpoint.host, endpoint.port, endpoint.is_tls, endpoint.path + runtime_path(name, None))
        Worker(api, load(handler), credentials=credentials_in(os.environ)).run(_FOREVER)
    except DurableError as error:
        raise SystemExit(f"everstep worker: {error}") from None
    except KeyboardInterrupt:
        pass


@app.command("worker-environment")
def print_worker_environment(
    function: Annotated[str, typer.Argument(help="The function's name on the server; NAME:VERSION serves that version alone.")],
    server: Annotated[str, typer.Option(help="The server's URL.", envvar="EVERSTEP_SERVER")] = "http://127.0.0.1:9000",
    region: Annotated[str, typer.Option(help="As the server has it.")] = "us-east-1",
) -> None:
    """Print what a worker of another make needs in its environment, such as AWS's own runtimes.

    With AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a key of the role worker, the address has a token in it that is good for
    this function alone: such workers don't sign. The key itself, which SDKs in them sign with, is not printed.
    """
    from everstep.client.credentials import credentials_in
    from everstep.client.endpoint import parse_endpoint
    from everstep.server.access.worker_tokens import mint_worker_token, runtime_path
    from everstep.server.environment import worker_environment

    try:
        endpoint = parse_endpoint(server)
        if endpoint.is_tls:
            raise UsageError(
                f"workers of other makes speak plain HTTP, and {server} does not. Have the server begin them (`command` in the functions "
                "file), or give the address of a proxy beside them that speaks TLS for them"
            )
        name, _, version = function.partition(":")
        key = credentials_in(os.environ)
        token = None if key is None else mint_worker_token(key.access_key, key.secret_key, name)
        environment = {
            **worker_environment(server.rstrip("/"), region, name, version or "$LATEST"),
            "AWS_LAMBDA_RUNTIME_API": f"{endpoint.authority}{endpoint.path}{runtime_path(function, token)}",
        }
        typer.echo("\n".join(f"{variable}={value}" for variable, value in environment.items()))
    except DurableError as error:
        raise SystemExit(f"everstep worker-environment: {error}") from None


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
