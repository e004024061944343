"""`everstep worker` and `everstep worker-environment`."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, TextIO

import typer

from everstep.cli.connecting import AsJson, failing_well
from everstep.errors import UsageError


def worker(
    handlers: Annotated[
        list[str], typer.Argument(metavar="[NAME[:VERSION]=]MODULE:HANDLER", help="Functions to run; with a version, for that one alone.")
    ],
    server: Annotated[str, typer.Option(help="The server's URL.", envvar="EVERSTEP_SERVER")] = "http://127.0.0.1:9000",
    concurrency: Annotated[int, typer.Option(min=1, help="Invocations at a time, of all functions together.")] = 10,
    grace: Annotated[float, typer.Option(min=0, help="Seconds that invocations may go on when the worker stops.")] = 10.0,
    region: Annotated[str, typer.Option(help="As the server has it.")] = "us-east-1",
    ca_bundle: Annotated[
        Path | None, typer.Option(help="Certificates of authorities to trust, instead of the system's.", envvar="AWS_CA_BUNDLE")
    ] = None,
    json: AsJson = False,
) -> None:
    """Work on functions' invocations for a server, until interrupted.

    It signs with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a key of the role worker, if the server asks for credentials.
    """
    from everstep.cli import showing
    from everstep.cli.loop import run as serve
    from everstep.cli.loop import settle
    from everstep.cli.server import named, until_signal
    from everstep.client.calls import attempts_in
    from everstep.client.credentials import credentials_in
    from everstep.client.endpoint import parse_endpoint
    from everstep.logging import log_json_lines
    from everstep.server.environment import server_environment, some_credentials, worker_environment
    from everstep.server.line import tls_context
    from everstep.server.line_client import LineClient
    from everstep.server.pulling import PullingWorker
    from everstep.server.worker import load

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    async def run(output: TextIO) -> None:
        endpoint = parse_endpoint(server)
        url = server.rstrip("/")
        targets = dict(named(handler) for handler in handlers)
        if len(targets) < len(handlers):
            raise UsageError("two of the functions have one name: say NAME=MODULE:HANDLER")
        credentials = credentials_in(os.environ)
        os.environ.update(some_credentials(os.environ))
        if ca_bundle is not None:
            os.environ["AWS_CA_BUNDLE"] = str(ca_bundle)
        if len(targets) == 1:
            ((function, target),) = targets.items()
            name, _, version = function.partition(":")
            os.environ.update(worker_environment(url, region, name, version or "$LATEST"), _HANDLER=target)
        else:
            os.environ.update(server_environment(url, region))
            log_json_lines()
        functions = {name: load(target) for name, target in targets.items()}
        tls = tls_context(os.environ.get("AWS_CA_BUNDLE") or None) if endpoint.is_tls else None
        source = None if credentials is None else lambda: credentials
        client = LineClient(endpoint, region=region, credentials=source, max_attempts=attempts_in(os.environ), tls=tls)
        worker = PullingWorker(
            endpoint,
            functions,
            client=client,
            concurrency=concurrency,
            grace_s=grace,
            credentials=credentials,
            region=region,
            tls=tls,
        )
        settle()
        stop = asyncio.Event()
        working = asyncio.create_task(worker.run(stop))
        typer.echo(f"everstep worker asks {server} for work, functions: {', '.join(functions)}", err=True)
        if json:
            showing.print_json_line({"Server": server, "Functions": list(functions)}, output)
        signalled = asyncio.create_task(until_signal())
        await asyncio.wait((working, signalled), return_when=asyncio.FIRST_COMPLETED)
        signalled.cancel()
        stop.set()
        await working
        await client.close()

    with failing_well("worker"), showing.prints_aside() if json else nullcontext(sys.stdout) as output:
        serve(run(output))


def print_worker_environment(
    function: Annotated[str, typer.Argument(help="The function's name on the server; NAME:VERSION serves that version alone.")],
    server: Annotated[str, typer.Option(help="The server's URL.", envvar="EVERSTEP_SERVER")] = "http://127.0.0.1:9000",
    region: Annotated[str, typer.Option(help="As the server has it.")] = "us-east-1",
    json: AsJson = False,
) -> None:
    """Print what a worker of another make needs in its environment, such as AWS's own runtimes.

    With AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a key of the role worker, the address has a token in it that is good for
    this function alone: such workers don't sign. The key itself, which SDKs in them sign with, is not printed.
    """
    from everstep.cli import showing
    from everstep.client.credentials import credentials_in
    from everstep.client.endpoint import parse_endpoint
    from everstep.server.access.worker_tokens import mint_worker_token, runtime_path
    from everstep.server.environment import worker_environment

    with failing_well("worker-environment"):
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
    if json:
        showing.print_json(environment)
    else:
        typer.echo("\n".join(f"{variable}={value}" for variable, value in environment.items()))
