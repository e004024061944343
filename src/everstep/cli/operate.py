"""What the commands that act on executions have in common: they find them, ask whether all are meant, act, and say what came of each.

Rule: nothing is done before all that were named are found. What the service refuses for one of them does not keep the others from it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple, TextIO, TypeAlias

import typer

from everstep.cli.connecting import Place
from everstep.errors import ServiceError, UsageError

if TYPE_CHECKING:
    from everstep.client.executions import ExecutionsApi, JsonObject

Executions: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        metavar="EXECUTION...", help="ARNs, beginnings of ids, or names, with --function. - reads them from standard input, one a line."
    ),
]
Sure: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask whether all of several executions are meant.")]

_SHOWN: Final = 10
"""How many are named before it is asked about all."""


class Told(NamedTuple):
    """What is said of an execution afterwards, to programs and to people."""

    found: JsonObject
    line: str


Act: TypeAlias = "Callable[[ExecutionsApi, str], Told]"
"""Given the service and an ARN. Raises ServiceError."""


def operate(command: str, place: Place, executions: Sequence[str], function: str | None, act: Act, *, is_sure: bool, as_json: bool) -> None:
    """Raises typer.Exit: with 1 if something was refused."""
    from everstep.cli import showing
    from everstep.cli.references import arn_of

    refused = 0
    with place.api(command) as api:
        arns = list(dict.fromkeys(arn_of(api, reference, function) for reference in _references(executions)))
        if len(arns) != 1 and not is_sure:
            _ask(command, arns, is_stdin_taken="-" in executions)
        for arn in arns:
            try:
                told = act(api, arn)
            except ServiceError as error:
                if len(arns) == 1 or not error.status:  # the service itself is not there
                    raise
                refused += 1
                told = Told({"DurableExecutionArn": arn, "Refused": str(error)}, "")
                typer.echo(f"everstep {command}: {arn}: {error}", err=True)
            if as_json:
                showing.print_json_line(told.found)
            elif told.line:
                typer.echo(told.line)
    if refused:
        typer.echo(f"everstep {command}: {refused} of {len(arns)} were refused", err=True)
        raise typer.Exit(1)


def changing(change: Callable[[ExecutionsApi, str], None]) -> Act:
    """Change an execution, and tell its status then."""

    def act(api: ExecutionsApi, arn: str) -> Told:
        from everstep.cli.connecting import is_unknown

        change(api, arn)
        try:
            status = str(api.describe(arn)["Status"])
        except ServiceError as error:
            if not is_unknown(error):
                raise
            status = "DELETED"
        return Told({"DurableExecutionArn": arn, "Status": status}, f"{arn} is {status}")

    return act


def _references(executions: Iterable[str]) -> Iterator[str]:
    for one in executions:
        if one == "-":
            yield from (line.strip() for line in sys.stdin if line.strip())
        else:
            yield one


def _ask(command: str, arns: Sequence[str], *, is_stdin_taken: bool) -> None:
    """Raises UsageError if nobody is there to ask, and typer.Exit if the answer is no."""
    if not arns:
        typer.echo(f"everstep {command}: no executions", err=True)
        raise typer.Exit(0)
    with _terminal(is_stdin_taken=is_stdin_taken) as terminal:
        if terminal is None:
            raise UsageError(f"these are {len(arns)} executions, and there is no terminal to ask at: say --yes if all of them are meant")
        for arn in arns[:_SHOWN]:
            typer.echo(f"  {arn}", err=True)
        if len(arns) > _SHOWN:
            typer.echo(f"  and {len(arns) - _SHOWN} more", err=True)
        typer.echo(f"{command} these {len(arns)} executions? [y/N] ", nl=False, err=True)
        if terminal.readline().strip().lower() not in ("y", "yes"):
            typer.echo(f"everstep {command}: nothing was done", err=True)
            raise typer.Exit(1)


@contextmanager
def _terminal(*, is_stdin_taken: bool) -> Generator[TextIO | None]:
    """Where a person answers, None if there is none."""
    if not sys.stderr.isatty():
        yield None
    elif not is_stdin_taken:
        yield sys.stdin if sys.stdin.isatty() else None
    else:
        try:
            terminal = open("/dev/tty", encoding="utf-8")  # noqa: SIM115  # closed below; its absence is no error of the block
        except OSError:
            yield None
            return
        with terminal:
            yield terminal
