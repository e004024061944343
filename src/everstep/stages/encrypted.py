"""Records that only the holder of a key can read or forge: AES-256-GCM.

Rule: a text is bound to its execution, its operation and its key, so it can't be moved in the record unnoticed. It is read
whole or not at all. Not hidden: its length, and the order of texts of one operation (an older one is as valid).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from everstep.errors import SerializationError, UsageError
from everstep.stages.api import Where, blocks
from everstep.stages.envelope import Envelope, Form, checked_text, is_envelope, marker_of, utf8
from everstep.stages.extras import missing
from everstep.stages.keys import KeyRing, Keys

_NONCE_BYTES: Final = 12  # GCM's own size. Random ones are safe for 2**32 texts of one key (NIST SP 800-38D, 8.3)
_TAG_BYTES: Final = 16


class _Encrypted(Envelope, frozen=True, kw_only=True, tag="aes-256-gcm"):
    """key: its name. data: the encrypted text and its tag."""

    key: str
    nonce: bytes
    data: bytes


_FORM: Final = Form(_Encrypted)


class Encrypted:
    """Encrypts every text with AES-256-GCM. Needs everstep[encryption].

    keys: 32 random bytes by name, or where they come from: a KeyRing, KmsKeys, or Keys of your own. current: the name of
    the key to write with, for keys by name. older: where else keys to read with come from. accepts_plain: whether a text
    that is not encrypted is read as it is, which a history needs that was begun without; False refuses it, so that nobody
    can put a plain text in place of yours.
    """

    def __init__(
        self, keys: Keys | Mapping[str, bytes], current: str | None = None, *, older: Sequence[Keys] = (), accepts_plain: bool = True
    ) -> None:
        try:
            from cryptography.exceptions import InvalidTag
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError as error:
            raise missing("cryptography", extra="encryption", needed_by="Encrypted") from error
        if isinstance(keys, Mapping):
            keys = KeyRing(keys, current)
        elif current is not None:
            raise UsageError(f"current is given for {type(keys).__name__}, which chooses the key to write with itself: leave it out")
        self.keys: Keys = keys
        self.older = tuple(older)
        self.accepts_plain = accepts_plain
        self.blocks: bool = any(map(blocks, (keys, *older)))
        self._cipher, self._refused = AESGCM, InvalidTag

    def __repr__(self) -> str:
        return f"Encrypted({self.keys!r}, accepts_plain={self.accepts_plain})"

    def write(self, text: str, where: Where) -> str:
        """See Stage."""
        name, key = self.keys.to_write(where)
        nonce = os.urandom(_NONCE_BYTES)
        data = self._cipher(key).encrypt(nonce, utf8(text), _bound_to(name, where))
        return _FORM.write(_Encrypted(key=name, nonce=nonce, data=data))

    def read(self, text: str, where: Where) -> str:
        """See Stage."""
        if not _FORM.wrote(text):
            if self.accepts_plain:
                return text
            found = f'was written by a stage "{marker_of(text)[:40]}"' if is_envelope(text) else "is plain"
            raise SerializationError(
                f"the record of operation {where.operation_id[:12]} {found}, and Encrypted(accepts_plain=False) reads only what it "
                "encrypted. If it was recorded before encryption was configured, accept plain texts until its execution has ended."
            )
        envelope = _FORM.read(text)
        if len(envelope.nonce) != _NONCE_BYTES or len(envelope.data) < _TAG_BYTES:
            raise self._unreadable(envelope, where)
        key = self._key(envelope.key, where)
        try:
            data = self._cipher(key).decrypt(envelope.nonce, envelope.data, _bound_to(envelope.key, where))
        except self._refused:
            raise self._unreadable(envelope, where) from None
        return checked_text(data, f"the encrypted record of operation {where.operation_id[:12]}")

    def _key(self, name: str, where: Where) -> bytes:
        try:
            return self.keys.to_read(name, where)
        except SerializationError:
            for keys in self.older:
                with suppress(SerializationError):
                    return keys.to_read(name, where)
            raise

    @staticmethod
    def _unreadable(envelope: _Encrypted, where: Where) -> SerializationError:
        return SerializationError(
            f'the record of operation {where.operation_id[:12]} can\'t be decrypted with the key "{envelope.key[:40]}": the text was '
            "changed, or written for another operation or execution, or the key of that name is another one now. Restore the "
            "record, or the key that it was written with."
        )


def _bound_to(name: str, where: Where) -> bytes:
    """The associated data. Each part has its length before it, so two different places never give the same bytes."""
    parts = (_FORM.marker, "1", name, where.execution_arn, where.operation_id)
    return b"".join(len(part).to_bytes(4, "big") + part for part in map(utf8, parts))
