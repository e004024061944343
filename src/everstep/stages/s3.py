"""Texts in objects of an S3 bucket.

Rule: an object is written once, under a key of its own, with a checksum that S3 verifies. Only the configured bucket and
prefix are read, whatever a record says.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Final, Protocol, cast

from everstep.errors import SerializationError, UsageError
from everstep.stages.api import Where
from everstep.stages.boto import code_of, methods, service_error
from everstep.stages.places import folder_of, is_name_of, new_name, not_kept

_MISSING: Final = frozenset({"NoSuchKey", "NoSuchBucket", "404", "NotFound"})


class _Body(Protocol):
    def read(self) -> bytes: ...


class S3:
    """A store of objects. Keys are `<prefix><execution>/<operation>.<unique>.json`. Needs everstep[s3], or a client like boto3's.

    prefix: usually ends with "/". Objects are never deleted: let a lifecycle rule of the bucket do it, after the longest
    execution and its retention.
    """

    blocks = True

    def __init__(self, bucket: str, prefix: str = "", *, client: object | None = None) -> None:
        if not bucket or "/" in bucket or ":" in bucket:
            raise UsageError(f'"{bucket}" is no name of a bucket: the part of a key that all have in common is the prefix')
        self.bucket, self.prefix = bucket, prefix
        self._put, self._get = methods(client, "s3", "put_object", "get_object", extra="s3", needed_by="S3")

    def __repr__(self) -> str:
        return f"S3({self.bucket!r}, {self.prefix!r})"

    def put(self, data: bytes, where: Where) -> str:
        """See Store. Raises ServiceError if S3 does not take it."""
        key = f"{self.prefix}{folder_of(where.execution_arn)}/{new_name(where)}"
        checksum = b64encode(sha256(data).digest()).decode()
        try:
            self._put(Bucket=self.bucket, Key=key, Body=data, ContentType="application/json", ChecksumSHA256=checksum)
        except Exception as error:
            raise service_error(error, f"a text can't be kept as s3://{self.bucket}/{key}") from error
        return f"s3://{self.bucket}/{key}"

    def keeps(self, uri: str, where: Where) -> bool:
        """See Store."""
        start = f"s3://{self.bucket}/{self.prefix}{folder_of(where.execution_arn)}/"
        return uri.startswith(start) and is_name_of(uri[len(start) :], where)

    def get(self, uri: str, where: Where, size_bytes: int) -> bytes:
        """See Store. Raises ServiceError if S3 can't be asked."""
        if not self.keeps(uri, where):
            raise not_kept(uri, self, where)
        try:
            found = self._get(Bucket=self.bucket, Key=uri.removeprefix(f"s3://{self.bucket}/"))
            told = found.get("ContentLength", size_bytes)
            if told == size_bytes:
                return cast("_Body", found["Body"]).read()
        except Exception as error:
            if code_of(error) in _MISSING:
                raise SerializationError(
                    f"{uri} is missing: it holds a recorded text of operation {where.operation_id[:12]}. Restore it, and let no "
                    "lifecycle rule delete objects before their executions have ended."
                ) from error
            raise service_error(error, f"{uri} can't be read") from error
        raise SerializationError(f"{uri} has {told} bytes and the record says {size_bytes}: it was changed. Restore it.")
