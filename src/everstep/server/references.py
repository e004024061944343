"""Functions as callers name them: by name, partial or full ARN, each with or without a qualifier."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from msgspec import Struct

from everstep.server.errors import invalid
from everstep.service.machine.validation import Violations

LATEST: Final = "$LATEST"
MAX_REFERENCE: Final = 256
_SHOWN: Final = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?"
    r"([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
REFERENCE: Final = re.compile(
    r"(?:(?:arn:[a-zA-Z0-9-]+:lambda:(?P<region>[a-zA-Z0-9-]+):)?(?P<account>\d{12}):function:|function:)?"
    r"(?P<name>[a-zA-Z0-9_-]{1,64})(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9_-]{1,128}))?"
)
ALIAS_NAME: Final = re.compile(r"(?![0-9]+$)[a-zA-Z0-9_-]{1,128}")
QUALIFIER: Final = re.compile(r"\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9_$-]{1,128}")


class Reference(Struct, frozen=True, kw_only=True):
    """A function as it was named. Absent parts were not given."""

    name: str
    qualifier: str | None = None
    account: str | None = None
    region: str | None = None


@lru_cache(256)
def parse(text: str) -> Reference | None:
    """None if it can't name a function."""
    found = REFERENCE.fullmatch(text) if len(text) <= MAX_REFERENCE else None
    if found is None:
        return None
    return Reference(name=found["name"], qualifier=found["qualifier"], account=found["account"], region=found["region"])


def requested(text: str, qualifier: str | None = None) -> Reference:
    """The function that a request names, with the qualifier of its name or its query. Raises Rejected or ApiError."""
    reference = parse(text)
    violations = Violations()
    if reference is None:
        violations.pattern("functionName", text, REFERENCE, MAX_REFERENCE, _SHOWN)
    if qualifier is not None:
        violations.pattern("qualifier", qualifier, QUALIFIER, 128, r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+")
    violations.reject()
    assert reference is not None
    if qualifier is None or qualifier == reference.qualifier:
        return reference
    if reference.qualifier is not None:
        raise invalid("The derived qualifier from the function name does not match the specified qualifier.")
    return Reference(name=reference.name, qualifier=qualifier, account=reference.account, region=reference.region)
