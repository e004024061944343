"""Large texts are kept in a store, and the record says where.

Rule: the record has the text's size and SHA-256, and nothing that differs from them is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final, Protocol

import msgspec

from everstep.errors import SerializationError, UsageError
from everstep.stages.api import Where, blocks
from everstep.stages.envelope import Envelope, Form, checked_text, exceeds, is_envelope, utf8
from everstep.stages.places import not_kept
from everstep.stages.preview import Preview

_ABOVE: Final = 255 * 1024
"""Below the size from which a context's result is not recorded but made again. Precedent: the official FileSystemSerDes."""


class Store(Protocol):
    """Keeps bytes. Called from several threads."""

    def put(self, data: bytes, where: Where) -> str:
        """Keep the bytes, for good, before returning. Returns the URI to record, never used before.

        Raises ServiceError if another try may succeed.
        """
        ...

    def keeps(self, uri: str, where: Where) -> bool:
        """Whether `put` may have returned the URI for this very operation. Looks at nothing but the URI."""
        ...

    def get(self, uri: str, where: Where, size_bytes: int) -> bytes:
        """The bytes at a URI that the store keeps, whose number should be size_bytes.

        Raises SerializationError, naming the place, if they are missing or others, or if it doesn't keep the URI; ServiceError
        if another try may succeed.
        """
        ...


class _Offloaded(Envelope, frozen=True, kw_only=True, tag="offloaded", rename={"size_bytes": "bytes"}):
    """sha256: in hexadecimal. preview: an excerpt of the text, for people."""

    uri: str
    sha256: str
    size_bytes: int
    preview: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_FORM: Final = Form(_Offloaded)


class Offloaded:
    """Keeps texts of more than `above` bytes elsewhere.

    to: a Directory, S3, or a Store of your own. older: stores that texts may still be in. preview: what to show of a text in
    the record; there is none of what an earlier stage encrypted or compressed.
    """

    def __init__(self, to: Store, *, above: int = _ABOVE, preview: Preview | None = None, older: Sequence[Store] = ()) -> None:
        if above < 0:
            raise UsageError(f"above is {above}; the least is 0")
        self.to, self.above, self.preview, self.older = to, above, preview, tuple(older)
        self.blocks: bool = any(map(blocks, (to, *older)))

    def __repr__(self) -> str:
        return f"Offloaded({self.to!r}, above={self.above})"

    def write(self, text: str, where: Where) -> str:
        """See Stage."""
        if not _FORM.wrote(text) and not exceeds(text, self.above):
            return text
        data = utf8(text)
        excerpt = None if self.preview is None or is_envelope(text) else self.preview.of(text)
        return _FORM.write(
            _Offloaded(
                uri=self.to.put(data, where),
                sha256=sha256(data).hexdigest(),
                size_bytes=len(data),
                preview=msgspec.UNSET if excerpt is None else msgspec.Raw(excerpt.encode()),
            )
        )

    def read(self, text: str, where: Where) -> str:
        """See Stage."""
        if not _FORM.wrote(text):
            return text
        recorded = _FORM.read(text)
        store = next((store for store in (self.to, *self.older) if store.keeps(recorded.uri, where)), None)
        if store is None:
            raise not_kept(recorded.uri, self.to, where)
        data = store.get(recorded.uri, where, recorded.size_bytes)
        if len(data) != recorded.size_bytes or sha256(data).hexdigest() != recorded.sha256:
            raise SerializationError(
                f"{recorded.uri} of {store!r} is not what was recorded for operation {where.operation_id[:12]}: its size or SHA-256 "
                "differs. Restore it."
            )
        return checked_text(data, f"{recorded.uri} of {store!r}")
