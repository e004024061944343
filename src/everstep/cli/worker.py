"""`everstep worker` and `everstep worker-environment`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from everstep.errors import DurableError, UsageError

_FOREVER: Final = float("inf")


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
