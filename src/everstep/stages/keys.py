"""Keys to encrypt with: those of a ring, named by the program.

Rule: a key is in no message, no repr and no record; its name may be in all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from everstep.errors import SerializationError, UsageError
from everstep.stages.api import Where

KEY_BYTES: Final = 32
"""Of a key for AES-256."""


class Keys(Protocol):
    """Where keys come from. Called from several threads. A `blocks` that is False says that it never waits; see Stage."""

    def to_write(self, where: Where) -> tuple[str, bytes]:
        """(name, key) to encrypt with now. The name is recorded."""
        ...

    def to_read(self, name: str, where: Where) -> bytes:
        """The key that was used under that name. Raises SerializationError if there is none."""
        ...


class KeyRing:
    """Named keys of 32 random bytes each. Writes with the current one, reads with any.

    current: may be left out if there is one key. To rotate, add a key and make it the current one; drop the old one when
    the last execution that used it has ended.
    """

    blocks = False

    def __init__(self, keys: Mapping[str, bytes], current: str | None = None) -> None:
        self._keys = dict(keys)
        for name, key in self._keys.items():
            if type(key) is not bytes or len(key) != KEY_BYTES:
                raise UsageError(f'the key "{name}" must be {KEY_BYTES} bytes; os.urandom({KEY_BYTES}) makes one')
        if current is None and len(self._keys) == 1:
            current = next(iter(self._keys))
        if current is None or current not in self._keys:
            raise UsageError(f"current is {_quoted(current)}, but the keys are {self._names()}: name the one to write with")
        self.current = current

    def __repr__(self) -> str:
        return f"KeyRing({self._names()}, current={_quoted(self.current)})"

    def to_write(self, where: Where) -> tuple[str, bytes]:
        """See Keys."""
        return self.current, self._keys[self.current]

    def to_read(self, name: str, where: Where) -> bytes:
        """See Keys."""
        key = self._keys.get(name)
        if key is None:
            raise SerializationError(
                f"the record of operation {where.operation_id[:12]} is encrypted with the key {_quoted(name[:80])}, and the ring has "
                f"{self._names()}. Keep a key in the ring until the last execution that it encrypted for has ended."
            )
        return key

    def _names(self) -> str:
        return ", ".join(map(_quoted, self._keys)) or "none"


def _quoted(name: str | None) -> str:
    return "None" if name is None else f'"{name}"'
