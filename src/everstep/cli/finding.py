"""Which executions are meant by what they are: their function, status, name, start, error, or what they wait for.

Rule: those started last come first, of all functions and statuses together.
"""

from __future__ import annotations

import heapq
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias, cast, get_args

import typer

from everstep.cli.connecting import Place, of_our_own
from everstep.errors import UsageError

if TYPE_CHECKING:
    from everstep.client.executions import ExecutionsApi, JsonObject
    from everstep.protocol.shapes import ExecutionStatus

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_WHICH: Final = "Which executions"

Status: TypeAlias = Annotated[list[str] | None, typer.Option(help="Can be repeated.", rich_help_panel=_WHICH)]
Name: TypeAlias = Annotated[str | None, typer.Option(help="The execution's.", rich_help_panel=_WHICH)]
Since: TypeAlias = Annotated[
    str | None, typer.Option(help="Started after: 2h, 3d, or a date and time, UTC unless it has an offset.", rich_help_panel=_WHICH)
]
Until: TypeAlias = Annotated[str | None, typer.Option(help="Started before: the same.", rich_help_panel=_WHICH)]
ErrorType: TypeAlias = Annotated[
    str | None, typer.Option(metavar="TYPE", help="Failed with an error of this type. Not on AWS.", rich_help_panel=_WHICH)
]
WaitingFor: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--waiting",
        metavar="OPERATION",
        help="Wait in an operation of this name, or in something in a context of this name. Not on AWS.",
        rich_help_panel=_WHICH,
    ),
]
WaitingType: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="TYPE", help="Wait in a step (for its next attempt), wait, callback or chained_invoke.", rich_help_panel=_WHICH),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What was asked for, as it was written; absent members do not restrict."""

    function: str | None = None
    status: Sequence[str] = ()
    name: str | None = None
    since: str | None = None
    until: str | None = None
    error_type: str | None = None
    waiting: str | None = None
    waiting_type: str | None = None

    @property
    def is_a_search(self) -> bool:
        """Whether executions have to be looked into, which AWS does not do."""
        return not (self.error_type is None and self.waiting is None and self.waiting_type is None)

    def or_those(self, statuses: Sequence[str]) -> Sought:
        """The same, but of these statuses if it was not said which."""
        return self if self.status or self.is_a_search else replace(self, status=statuses)

    def found(self, api: ExecutionsApi, place: Place, *, page: int) -> Iterator[JsonObject]:
        """As the listing says of each. page: how many are asked for at once. Raises UsageError, ServiceError."""
        statuses = statuses_of(self.status)
        after, before = moment(self.since), moment(self.until)
        if self.is_a_search:
            kind = _waiting_type(self.waiting_type)
            function = None if self.function is None else _plain_name(self.function)
            with of_our_own("search by error or by waiting operation", place):
                yield from api.search(
                    function=function,
                    statuses=statuses,
                    name=self.name,
                    error_type=self.error_type,
                    waiting_name=self.waiting,
                    waiting_type=kind,
                    started_after=after,
                    started_before=before,
                    page=page,
                )
            return
        functions = [self.function] if self.function is not None else list(api.durable_functions())
        asked: list[list[ExecutionStatus]] = [[one] for one in statuses] or [[]]  # AWS answers for one status at a time
        streams = [
            api.list(function, statuses=one, name=self.name, started_after=after, started_before=before, page=page)
            for function in functions
            for one in asked
        ]
        yield from heapq.merge(*streams, key=started_ms, reverse=True)


def statuses_of(given: Sequence[str]) -> list[ExecutionStatus]:
    """Raises UsageError."""
    from everstep.protocol.shapes import ExecutionStatus

    known = get_args(ExecutionStatus)
    wrong = next((one for one in given if one.upper() not in known), None)
    if wrong is not None:
        raise UsageError(f"there is no status {wrong!r}; there are {', '.join(known)}")
    return [cast("ExecutionStatus", one.upper()) for one in given]


def moment(given: str | None) -> datetime | None:
    """A date and time, or how long ago it was. Raises UsageError."""
    if given is None:
        return None
    ago = re.fullmatch(r"(\d+)([smhdw])", given)
    if ago is not None:
        return datetime.fromtimestamp(time.time(), UTC) - timedelta(seconds=int(ago[1]) * _UNITS[ago[2]])
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        raise UsageError(f"{given!r} is no time: write 30m, 2h or 3d for that long ago, or 2026-05-04T12:00") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def started_ms(summary: JsonObject) -> int:
    from everstep.histories.events import moment_ms

    return moment_ms(summary["StartTimestamp"])


def _waiting_type(given: str | None) -> str | None:
    """Raises UsageError."""
    from everstep.service.machine import waiting

    known = get_args(waiting.WaitingType)
    if given is not None and given.upper() not in known:
        raise UsageError(f"executions wait in no {given!r}; they wait in {', '.join(known)}")
    return None if given is None else given.upper()


def _plain_name(function: str) -> str:
    """Raises UsageError."""
    from everstep.client.executions import split_qualifier

    reference, qualifier = split_qualifier(function)
    if qualifier is not None:
        raise UsageError(f"a search by error or by waiting operation is of all versions: say {reference} without {qualifier}")
    return reference.rpartition(":")[2]
