"""Stand-ins for what stages call: KMS, S3, and stages that other people may write."""

from __future__ import annotations

import hashlib
import json
import os
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO

from hypothesis import strategies as st

from everstep.stages import Where

HERE = Where("arn:aws:lambda:eu-west-1:1:function:order:7/durable-execution/order-17/abc", "c0ffee" * 10)
ELSEWHERE = Where(HERE.execution_arn, "facade" * 10)
OTHER_EXECUTION = Where(HERE.execution_arn.replace("order-17", "order-18"), HERE.operation_id)

characters = st.characters(exclude_categories=["Cs"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(characters),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(characters, max_size=8), inner, max_size=4),
    max_leaves=12,
)


def as_json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


look_alikes = st.builds(
    '{{"everstep":"{}","v":{},"data":{}}}'.format,
    st.sampled_from(["zstd", "aes-256-gcm", "offloaded", "text", "other", ""]),
    st.integers(0, 2),
    st.text(characters, max_size=8).map(json.dumps),
)
"""Texts of users that start like a stage's."""

plain_texts = values.map(as_json) | st.text(characters, max_size=3000) | st.text("ab", min_size=1000, max_size=5000).map(as_json)
texts = plain_texts | look_alikes | st.text(characters, max_size=20).map('{"everstep":"'.__add__)
"""Whatever a serdes may write, JSON or not."""


class RefusedError(Exception):
    """Shaped like botocore's ClientError."""

    def __init__(self, code: str, status: int) -> None:
        super().__init__(f"An error occurred ({code})")
        self.response = {"Error": {"Code": code, "Message": "told"}, "ResponseMetadata": {"HTTPStatusCode": status}}


class Kms:
    """Two calls of KMS: data keys, encrypted by naming what belongs to them. calls: their names. fails: what the next raise."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fails: Exception | None = None
        self._made: dict[bytes, tuple[str, bytes, Mapping[str, str]]] = {}

    def generate_data_key(self, *, KeyId: str, KeySpec: str, EncryptionContext: Mapping[str, str]) -> Mapping[str, object]:  # noqa: N803  # KMS's names
        self._begin("generate_data_key")
        assert KeySpec == "AES_256"
        key, encrypted = os.urandom(32), os.urandom(24)
        self._made[encrypted] = KeyId, key, dict(EncryptionContext)
        return {"Plaintext": key, "CiphertextBlob": encrypted, "KeyId": f"arn:aws:kms:eu-west-1:1:key/{KeyId}"}

    def decrypt(self, *, CiphertextBlob: bytes, KeyId: str, EncryptionContext: Mapping[str, str]) -> Mapping[str, object]:  # noqa: N803  # KMS's names
        self._begin("decrypt")
        key_id, key, context = self._made.get(CiphertextBlob, ("", b"", {}))
        if context != EncryptionContext:
            raise RefusedError("InvalidCiphertextException", 400)
        if key_id != KeyId:
            raise RefusedError("IncorrectKeyException", 400)
        return {"Plaintext": key, "KeyId": key_id}

    def _begin(self, name: str) -> None:
        self.calls.append(name)
        if self.fails is not None:
            raise self.fails


@dataclass
class Bucket:
    """Two calls of S3. objects: by bucket and key. fails: what the next calls raise."""

    objects: dict[tuple[str, str], bytes] = field(default_factory=dict[tuple[str, str], bytes])
    fails: Exception | None = None

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str, ChecksumSHA256: str) -> Mapping[str, object]:  # noqa: N803  # S3's names
        if self.fails is not None:
            raise self.fails
        assert ContentType == "application/json"
        assert ChecksumSHA256 == b64encode(hashlib.sha256(Body).digest()).decode()
        assert (Bucket, Key) not in self.objects
        self.objects[Bucket, Key] = Body
        return {"ETag": '"etag"'}

    def get_object(self, *, Bucket: str, Key: str) -> Mapping[str, object]:  # noqa: N803  # S3's names
        if self.fails is not None:
            raise self.fails
        found = self.objects.get((Bucket, Key))
        if found is None:
            raise RefusedError("NoSuchKey", 404)
        return {"Body": BytesIO(found), "ContentLength": len(found)}


class Backwards:
    """A stage as a user would write it."""

    def write(self, text: str, where: Where) -> str:
        return json.dumps({"everstep": "backwards", "v": 1, "data": text[::-1]}, separators=(",", ":"))

    def read(self, text: str, where: Where) -> str:
        return json.loads(text)["data"][::-1] if text.startswith('{"everstep":"backwards",') else text
