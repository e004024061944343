"""Two executions side by side: which of their operations are the same, which differ and in what, and where they part.

Rule: pure. Operations are lined up by their place in the tree, by name. Comparing the other way round says the same with the sides
swapped, and an execution never differs from itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

from everstep.histories.paths import Place, path, places_of
from everstep.histories.recording import Recording
from everstep.protocol.shapes import ErrorObject, Operation

Aspect: TypeAlias = Literal["kind", "status", "input", "result", "error", "attempts", "duration"]
Verdict: TypeAlias = Literal["same", "differs", "left only", "right only"]

LEAST_DELAY_MS: Final = 1_000
LEAST_FACTOR: Final = 2
"""Durations differ if one is longer by both, for no two runs take the same time."""


class Pair(Struct, frozen=True, kw_only=True):
    """What stands at one place of the two trees. differs_in: nothing if it is on one side only."""

    place: Place
    left: Operation | None
    right: Operation | None
    differs_in: tuple[Aspect, ...] = ()

    @property
    def path(self) -> str:
        """Of names, "ship/label#2"."""
        return path(self.place)

    @property
    def verdict(self) -> Verdict:
        if self.left is None:
            return "right only"
        if self.right is None:
            return "left only"
        return "differs" if self.differs_in else "same"


class Comparison(Struct, frozen=True, kw_only=True):
    """differs_in: of the executions as a whole. pairs: each before those inside it, in the order in which they began.

    first: the difference that the others may come from, the one that began first. A context whose content differs is not it, and a
    duration only if nothing else differs.
    """

    left: Recording
    right: Recording
    differs_in: tuple[Aspect, ...]
    pairs: Sequence[Pair]
    first: Pair | None

    @property
    def differing(self) -> Sequence[Pair]:
        """The pairs that are not the same, and those of the contexts around them."""
        places = {pair.place[:depth] for pair in self.pairs if pair.verdict != "same" for depth in range(1, len(pair.place) + 1)}
        return [pair for pair in self.pairs if pair.place in places]


def compare(left: Recording, right: Recording) -> Comparison:
    left_at, right_at = _by_place(left), _by_place(right)
    pairs = {place: _pair(place, left_at.get(place), right_at.get(place)) for place in _in_order(list(left_at), list(right_at))}
    return Comparison(
        left=left,
        right=right,
        differs_in=tuple(_of_executions(left, right)),
        pairs=list(pairs.values()),
        first=_first(pairs, list(left_at), list(right_at)),
    )


def duration_ms(operation: Operation) -> int | float | None:
    """None while it has not ended."""
    return None if operation.end_timestamp is None else operation.end_timestamp - operation.start_timestamp


def result_of(operation: Operation) -> str | None:
    details = operation.step_details or operation.context_details or operation.callback_details or operation.chained_invoke_details
    return None if details is None else details.result


def error_of(operation: Operation) -> ErrorObject | None:
    details = operation.step_details or operation.context_details or operation.callback_details or operation.chained_invoke_details
    return None if details is None else details.error


def attempts_of(operation: Operation) -> int | None:
    return None if operation.step_details is None else operation.step_details.attempt


def _by_place(recording: Recording) -> Mapping[Place, Operation]:
    """In the order in which they began."""
    operations = {one.id: one for one in recording.operations}
    return {place: operations[operation_id] for operation_id, place in places_of(recording.operations).items()}


def _in_order(left: Sequence[Place], right: Sequence[Place]) -> Sequence[Place]:
    """All places, each before those inside it, siblings by when they began: of what is on both sides, the later of the two counts."""
    began: dict[Place, int] = {}
    for side in (left, right):
        siblings: dict[Place, int] = {}
        for place in side:
            number = siblings[place[:-1]] = siblings.get(place[:-1], 0) + 1
            began[place] = max(began.get(place, 0), number)
    return sorted(began, key=lambda place: [(began[place[:depth]], place[depth - 1]) for depth in range(1, len(place) + 1)])


def _pair(place: Place, left: Operation | None, right: Operation | None) -> Pair:
    differs_in = () if left is None or right is None else tuple(_of_operations(left, right))
    return Pair(place=place, left=left, right=right, differs_in=differs_in)


def _of_operations(left: Operation, right: Operation) -> Iterator[Aspect]:
    if (left.type, left.sub_type) != (right.type, right.sub_type):
        yield "kind"
    if left.status != right.status:
        yield "status"
    if not _same_json(result_of(left), result_of(right)):
        yield "result"
    if not _same_error(error_of(left), error_of(right)):
        yield "error"
    if attempts_of(left) != attempts_of(right):
        yield "attempts"
    if not _took_as_long(duration_ms(left), duration_ms(right)):
        yield "duration"


def _of_executions(left: Recording, right: Recording) -> Iterator[Aspect]:
    if left.status != right.status:
        yield "status"
    if not _same_json(left.input, right.input):
        yield "input"
    if not _same_json(left.result, right.result):
        yield "result"
    if not _same_error(left.error, right.error):
        yield "error"


def _same_json(left: str | None, right: str | None) -> bool:
    if left == right or left is None or right is None:
        return left == right
    try:
        return _canonical(left) == _canonical(right)
    except msgspec.DecodeError:
        return False


def _canonical(text: str) -> bytes:
    """Python's own equality would take true for 1."""
    return msgspec.json.encode(msgspec.json.decode(text), order="deterministic")


def _same_error(left: ErrorObject | None, right: ErrorObject | None) -> bool:
    """Wherever it was raised: lines move when code changes."""
    if left is None or right is None:
        return left is right
    return (left.error_type, left.error_message, left.error_data) == (right.error_type, right.error_message, right.error_data)


def _took_as_long(left: float | None, right: float | None) -> bool:
    if left is None or right is None:
        return True  # its status says already that one of them goes on
    shorter, longer = sorted((left, right))
    return longer - shorter < LEAST_DELAY_MS or longer < shorter * LEAST_FACTOR


def _first(pairs: Mapping[Place, Pair], left: Sequence[Place], right: Sequence[Place]) -> Pair | None:
    differing = {place for place, pair in pairs.items() if pair.verdict != "same"}
    lasting_alone = {place for place in differing if pairs[place].differs_in == ("duration",)}
    differing = differing - lasting_alone or lasting_alone
    around = {place[:depth] for place in differing for depth in range(1, len(place))}
    origins = [place for place in differing if place not in around or _differs_as_a_whole(pairs[place])]
    began: dict[Place, int] = {}
    for side in (left, right):
        for number, place in enumerate(side):
            began[place] = min(began.get(place, number), number)
    first = min(origins, key=lambda place: (began[place], place), default=None)
    return None if first is None else pairs[first]


def _differs_as_a_whole(pair: Pair) -> bool:
    return pair.left is None or pair.right is None or "kind" in pair.differs_in
