"""What the list of executions is searched for, as it stands in the page's address and as the API is asked for it.

Rule: pure. Whatever is carried from one page to the next is carried here, so a link, a renewal and an act on all that match mean the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from everstep.console.values import OPEN, STATUSES, spaced, word

_TEXTS: Final = {
    "function": "FunctionName",
    "name": "DurableExecutionName",
    "waiting": "WaitingName",
    "kind": "WaitingType",
    "error": "ErrorType",
}
_TIMES: Final = {"after": "StartedAfter", "before": "StartedBefore"}
_SAID: Final = {
    "function": "of the function {}",
    "name": "called {}",
    "waiting": "waiting in {}",
    "kind": "waiting {}",
    "error": "failed with {}",
    "after": "started after {} UTC",
    "before": "started before {} UTC",
}


KINDS: Final = {
    "STEP": "to try a step again",
    "WAIT": "until a time",
    "CALLBACK": "for a callback",
    "CHAINED_INVOKE": "for an invoke",
}
"""What an execution may be waiting for, by the API's names."""


class NotATime(ValueError):
    """The text is no time."""


@dataclass(frozen=True, slots=True)
class Search:
    """kept: the fields that say something, by their names in forms. statuses: any of these; empty: whatever they are."""

    kept: Mapping[str, str]
    statuses: Sequence[str] = ()

    @property
    def fields(self) -> Mapping[str, str]:
        """Every field of the form, empty where nothing was asked."""
        return dict.fromkeys((*_TEXTS, *_TIMES), "") | dict(self.kept)

    @property
    def has_more(self) -> bool:
        """Whether anything is asked beside function, name and status."""
        return bool(self.kept.keys() - {"function", "name"})

    @property
    def is_for_waiting(self) -> bool:
        return "waiting" in self.kept or "kind" in self.kept

    def asked(self) -> list[tuple[str, str]]:
        """As parameters of ListExecutions."""
        texts = [(parameter, self.kept[field]) for field, parameter in _TEXTS.items() if field in self.kept]
        times = [(parameter, _moment(self.kept[field]).isoformat()) for field, parameter in _TIMES.items() if field in self.kept]
        return [*texts, *times, *(("Statuses", one) for one in self.statuses)]

    def query(self, *, with_statuses: bool = True) -> str:
        """As the query of an address."""
        return urlencode([*self.kept.items(), *(("status", one) for one in self.statuses if with_statuses)])

    def among(self, statuses: Collection[str]) -> Search:
        """The same, of what is in one of these statuses too; perhaps of nothing, as what has ended waits for nothing."""
        possible = [one for one in statuses if one in OPEN or not self.is_for_waiting]
        return Search(self.kept, [one for one in possible if not self.statuses or one in self.statuses])

    def words(self) -> str:
        """For people."""
        said = [sentence.format(KINDS.get(value, value)) for field, sentence in _SAID.items() if (value := self.kept.get(field))]
        statuses = " or ".join(word(one).lower() for one in self.statuses)
        return ", ".join([*([statuses] if statuses else []), *said])


def search(field: Callable[[str], str], statuses: Sequence[str]) -> Search:
    """field: what a form or an address says by that name, empty if nothing. Raises NotATime."""
    kept = {name: value for name in (*_TEXTS, *_TIMES) if (value := field(name).strip()) and (name != "kind" or value in KINDS)}
    for name in _TIMES:
        if name in kept:
            _moment(kept[name])
    return Search(kept, [one for one in statuses if one in STATUSES])


def waiting_in(kind: str, name: str) -> Mapping[str, str]:
    """The fields that find what waits in an operation. kind: as events call it."""
    named = {"waiting": name} if name else {}
    return {**named, "kind": spaced(kind).replace(" ", "_").upper()}


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise NotATime(text) from None
