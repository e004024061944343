"""Which service a command speaks to, and how it tells what went wrong there.

Rule: AWS as the environment says, or whatever answers at --endpoint-url or AWS_ENDPOINT_URL_LAMBDA. Exit codes: 1, the service said
no, or it could not be reached; 2, the command could not be run as asked.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from everstep.errors import DurableError, ServiceError, UsageError

if TYPE_CHECKING:
    from everstep.client.executions import ExecutionsApi

_SERVICE: Final = "The service"

EndpointUrl: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="The service to speak to; else AWS, as the environment says.", envvar="AWS_ENDPOINT_URL_LAMBDA", rich_help_panel=_SERVICE
    ),
]
Region: TypeAlias = Annotated[str | None, typer.Option(help="Instead of AWS_REGION.", rich_help_panel=_SERVICE)]
Profile: TypeAlias = Annotated[str | None, typer.Option(help="Of AWS's configuration files.", rich_help_panel=_SERVICE)]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="For programs.")]
Function: TypeAlias = Annotated[
    str | None, typer.Option(help="Whose execution it is, NAME or NAME:QUALIFIER; else it is searched for in all.")
]
Execution: TypeAlias = Annotated[str, typer.Argument(metavar="EXECUTION", help="Its ARN, its name, or the beginning of its id.")]


@dataclass(frozen=True, slots=True)
class Place:
    """The service that was asked for."""

    endpoint_url: str | None
    region: str | None
    profile: str | None

    @contextmanager
    def api(self, command: str) -> Generator[ExecutionsApi]:
        """The service, for as long as a command uses it. command: as it was called, for errors, which end the process."""
        with failing_well(command), self.connected() as api:
            yield api

    @contextmanager
    def connected(self) -> Generator[ExecutionsApi]:
        """The same, but errors are the caller's. Raises UsageError."""
        from everstep.client.executions import ExecutionsApi, client_for

        api = ExecutionsApi(client_for(self.endpoint_url, self.region, profile=self.profile))
        try:
            yield api
        finally:
            api.close()


@contextmanager
def of_our_own(what: str, place: Place) -> Generator[None]:
    """Say so where AWS refuses what it has not. what: what only a server of one's own can do. Raises UsageError."""
    try:
        yield
    except ServiceError as error:
        if error.code in ("UnknownOperationException", "AccessDeniedException") and place.endpoint_url is None:
            raise UsageError(f"AWS cannot {what}; everstep server can: --endpoint-url ({error})") from error
        raise


@contextmanager
def failing_well(command: str) -> Generator[None]:
    """Say what went wrong in one line and exit, 2 for wrong use, 1 for what the service said."""
    try:
        yield
    except (DurableError, OSError) as error:
        nobody = isinstance(error, ServiceError) and error.code == ConnectionRefusedError.__name__
        typer.echo(f"everstep {command}: {error}{'. Nothing answers there: is the server running?' if nobody else ''}", err=True)
        raise typer.Exit(2 if isinstance(error, UsageError | OSError) else 1) from None


def is_unknown(error: ServiceError) -> bool:
    """Whether the service has no such thing."""
    return error.status == 404 or error.code == "ResourceNotFoundException"
