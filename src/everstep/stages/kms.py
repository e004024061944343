"""Keys that AWS KMS gives and keeps: each text is encrypted with a data key, which is recorded encrypted by KMS.

Rule: a data key belongs to one execution, by its encryption context, and is used for a limited time and number of texts.
The name of a data key in the record is what KMS encrypted it to, so nothing else has to be kept.
"""

from __future__ import annotations

import threading
import time
from base64 import b64decode, b64encode
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Generic, TypeVar

from everstep.errors import SerializationError, ServiceError, UsageError
from everstep.stages.api import Where
from everstep.stages.boto import code_of, methods, service_error
from everstep.stages.keys import KEY_BYTES

_REFUSED: Final = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})
"""KMS's words for: not encrypted with this key, for this execution, or changed since."""

K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class _DataKey:
    name: str
    key: bytes = field(repr=False)
    until: float
    uses_left: int


class KmsKeys:
    """Data keys of an AWS KMS key. Needs everstep[kms], or a client shaped like boto3's.

    key_id: of the KMS key, or its ARN or alias. older: KMS keys that records may still be read with. max_age, max_uses: how
    long, and for how many texts, a data key is used before KMS is asked for another. max_cached: executions and data keys
    that are remembered. KMS sees the execution's ARN as the encryption context `execution_arn`: key policies may ask for it.
    """

    blocks = True

    def __init__(
        self,
        key_id: str,
        *,
        older: Sequence[str] = (),
        client: object | None = None,
        max_age: timedelta = timedelta(minutes=5),
        max_uses: int = 1000,
        max_cached: int = 1000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if max_age < timedelta(0) or max_uses < 1 or max_cached < 1:
            raise UsageError(f"max_age is {max_age}, max_uses {max_uses}, max_cached {max_cached}; the least are 0, 1 and 1")
        self.key_id, self.older = key_id, tuple(older)
        self._generate, self._decrypt = methods(client, "kms", "generate_data_key", "decrypt", extra="kms", needed_by="KmsKeys")
        self._max_age, self._max_uses, self._clock = max_age.total_seconds(), max_uses, clock
        self._lock = threading.Lock()
        self._writing: _Newest[str, _DataKey] = _Newest(max_cached)
        self._reading: _Newest[tuple[str, str], _DataKey] = _Newest(max_cached)

    def __repr__(self) -> str:
        return f"KmsKeys({self.key_id!r})"

    def to_write(self, where: Where) -> tuple[str, bytes]:
        """See Keys. Raises ServiceError if KMS gives no key."""
        arn = where.execution_arn
        with self._lock:
            known = self._writing.get(arn)
            if known is not None and known.uses_left > 0 and self._clock() < known.until:
                known.uses_left -= 1
                return known.name, known.key
        try:
            made = self._generate(KeyId=self.key_id, KeySpec="AES_256", EncryptionContext={"execution_arn": arn})
        except Exception as error:
            raise service_error(error, f"KMS gives no data key of {self.key_id}") from error
        key, encrypted = made.get("Plaintext"), made.get("CiphertextBlob")
        if not isinstance(key, bytes) or not isinstance(encrypted, bytes) or len(key) != KEY_BYTES:
            raise ServiceError("KMS gives no data key: the response has none", code="UnknownResponse", is_retryable=True)
        new = _DataKey(b64encode(encrypted).decode(), key, self._clock() + self._max_age, self._max_uses - 1)
        with self._lock:
            self._writing.put(arn, new)
            self._reading.put((arn, new.name), new)
        return new.name, new.key

    def to_read(self, name: str, where: Where) -> bytes:
        """See Keys. Raises ServiceError if KMS can't be asked."""
        arn = where.execution_arn
        with self._lock:
            known = self._reading.get((arn, name))
            if known is not None and self._clock() < known.until:
                return known.key
        key = self._decrypted(name, where)
        with self._lock:
            self._reading.put((arn, name), _DataKey(name, key, self._clock() + self._max_age, 0))
        return key

    def _decrypted(self, name: str, where: Where) -> bytes:
        try:
            encrypted = b64decode(name, validate=True)
        except ValueError:
            raise self._unreadable(where, "its key is none of KMS's") from None
        reasons: list[str] = []
        for key_id in (self.key_id, *self.older):
            try:
                told = self._decrypt(CiphertextBlob=encrypted, KeyId=key_id, EncryptionContext={"execution_arn": where.execution_arn})
            except Exception as error:
                if code_of(error) not in _REFUSED:
                    raise service_error(error, f"KMS does not decrypt with {key_id}") from error
                reasons.append(f"{key_id}: {code_of(error)}")
                continue
            key = told.get("Plaintext")
            if not isinstance(key, bytes) or len(key) != KEY_BYTES:
                raise self._unreadable(where, "KMS decrypts its key to something that is none")
            return key
        raise self._unreadable(where, f"KMS refuses its key ({'; '.join(reasons)})")

    @staticmethod
    def _unreadable(where: Where, why: str) -> SerializationError:
        return SerializationError(
            f"the record of operation {where.operation_id[:12]} can't be decrypted: {why}. It was changed, written for another "
            "execution, or with another KMS key: name that one in KmsKeys(older=…)."
        )


class _Newest(Generic[K, V]):
    """The values that were asked for last, up to a number of them."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._size:
            self._values.popitem(last=False)
