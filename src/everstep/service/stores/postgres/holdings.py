"""What this instance owns, as far as it has heard.

Rule: answers of the database may overtake each other, and where they do, we go on owning. Not to own what the database
says is ours would leave it to nobody; to think that we own what we do not costs a look.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable


class Holdings:
    """A set of execution ids that knows what it was told first."""

    def __init__(self) -> None:
        self._since: dict[str, int] = {}
        self._now = 0

    def __contains__(self, execution_id: str) -> bool:
        return execution_id in self._since

    @property
    def all(self) -> Collection[str]:
        return tuple(self._since)

    def asked(self) -> int:
        """The moment at which the database is asked, for `remove`."""
        self._now += 1
        return self._now

    def add(self, execution_ids: Iterable[str]) -> None:
        self._now += 1
        self._since.update((execution_id, self._now) for execution_id in execution_ids)

    def remove(self, execution_ids: Iterable[str], asked: int) -> None:
        """Forget those that were not added since the database was asked."""
        for execution_id in execution_ids:
            if self._since.get(execution_id, asked) < asked:
                del self._since[execution_id]

    def clear(self) -> None:
        self._since.clear()
