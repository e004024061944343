"""Names for texts that are kept outside the record: one folder per execution, one file per text.

Rule: a name says which execution and operation it belongs to and is never used twice. Reading asks for exactly such a
name, so a record can't point to another operation's text, or outside the store.
"""

from __future__ import annotations

import re
import secrets
from hashlib import sha256
from typing import Final

from everstep.errors import SerializationError
from everstep.protocol.limits import OPERATION_ID_PATTERN
from everstep.stages.api import Where

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]+")
_UNIQUE: Final = re.compile(r"[0-9a-f]{32}")
_SUFFIX: Final = ".json"


def folder_of(execution_arn: str) -> str:
    """The execution's folder: readable first, unique by what follows."""
    readable = _UNSAFE.sub("-", execution_arn.rpartition("durable-execution/")[2])[:60].strip("-")
    digest = sha256(execution_arn.encode(errors="surrogatepass")).hexdigest()[:24]
    return f"{readable}-{digest}" if readable else digest


def new_name(where: Where) -> str:
    """A file name that nobody has."""
    return f"{_operation(where)}.{secrets.token_hex(16)}{_SUFFIX}"


def is_name_of(name: str, where: Where) -> bool:
    """Whether `new_name` may have given the name for this operation."""
    start = f"{_operation(where)}."
    return name.startswith(start) and name.endswith(_SUFFIX) and _UNIQUE.fullmatch(name[len(start) : -len(_SUFFIX)]) is not None


def not_kept(uri: str, store: object, where: Where) -> SerializationError:
    """The error for a URI that the store can't have given for the operation."""
    return SerializationError(
        f"the record of operation {where.operation_id[:12]} points to {uri[:300]!r}, which is nothing that {store!r} keeps for it: "
        "the record was changed, or its text is in another store. Name that one in Offloaded(older=…)."
    )


def _operation(where: Where) -> str:
    own = where.operation_id
    return own if OPERATION_ID_PATTERN.fullmatch(own) else sha256(own.encode(errors="surrogatepass")).hexdigest()
