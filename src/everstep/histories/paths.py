"""Where operations stand in the tree of an execution, by their names, so that the same place is found in another execution.

Rule: a place is the labels from the outermost context to the operation. A label is a name, else the kind; one that comes again among
the same parent's children says for which time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

from everstep.protocol.shapes import Operation


class Label(NamedTuple):
    """number: 1 for the first of that text among its siblings."""

    text: str
    number: int

    def __str__(self) -> str:
        return self.text if self.number == 1 else f"{self.text}#{self.number}"


Place: TypeAlias = tuple[Label, ...]


def places_of(operations: Iterable[Operation]) -> Mapping[str, Place]:
    """The place of each operation, by id, in the order in which they began; not of the execution's own. operations: in that order."""
    found: dict[str, Place] = {}
    counted: dict[str | None, Counter[str]] = {}
    for operation in operations:
        if operation.type == "EXECUTION":
            continue
        text = operation.name or operation.sub_type or operation.type
        siblings = counted.setdefault(operation.parent_id, Counter())
        siblings[text] += 1
        found[operation.id] = (*found.get(operation.parent_id or "", ()), Label(text, siblings[text]))
    return found


def path(place: Place) -> str:
    """As people write it: "ship/label#2"."""
    return "/".join(map(str, place))
