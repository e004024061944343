"""The access keys that a server knows, and the credentials file that they stand in.

Rule: the file is read once, when the server starts, and refused if anybody but its owner could change it or everybody could
read it. No secret is ever shown, not even one that is malformed. A key is replaced by declaring both, then dropping the old one.
"""

from __future__ import annotations

import hmac
import logging
import os
import re
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from msgspec import Struct

from everstep.errors import UsageError
from everstep.server.access.roles import Role
from everstep.server.document import read_document

log = logging.getLogger("everstep.server")

MIN_SECRET: Final = 20
_ID: Final = re.compile(r"[A-Za-z0-9_-]{3,128}")
_SECRET: Final = re.compile(r"[!-~]*")
_ADVICE: Final = "python -c 'import secrets; print(secrets.token_urlsafe(32))' makes one"


class AccessKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key and what it is good for. session_token: to be sent with it, None: none may be."""

    access_key_id: str
    secret_access_key: str
    roles: list[Role]
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"AccessKey(access_key_id={self.access_key_id!r}, roles={self.roles!r}, …)"  # no secrets in logs and tracebacks

    def has_session_token(self, presented: str | None) -> bool:
        """Whether what was presented is this key's session token, or its lack of one."""
        if self.session_token is None or presented is None:
            return self.session_token is presented
        return hmac.compare_digest(self.session_token.encode(), presented.encode())


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    credentials: list[AccessKey]


def read_credentials(path: Path) -> list[AccessKey]:
    """The keys in a YAML, TOML or JSON file. Raises UsageError."""
    check_readers(path, "credentials file")
    keys = read_document(path, _File, "credentials file", is_secret=True).credentials
    if not keys:
        raise UsageError(f"the credentials file {path} has no key, so nobody could call the server: give it an operator's at least")
    try:
        check_keys(keys)
    except UsageError as error:
        raise UsageError(f"the credentials file {path}: {error}") from None
    return keys


def check_keys(keys: Iterable[AccessKey]) -> None:
    """Raises UsageError if one of them could not be used, or protects nothing."""
    seen: set[str] = set()
    for key in keys:
        name = key.access_key_id
        if not _ID.fullmatch(name):
            raise UsageError(f"access_key_id is {name!r}; it must be 3 to 128 letters, digits, - and _")
        if name in seen:
            raise UsageError(f"two keys have the access_key_id {name!r}")
        seen.add(name)
        if len(key.secret_access_key) < MIN_SECRET or not _SECRET.fullmatch(key.secret_access_key):
            raise UsageError(f"{name}: secret_access_key must have at least {MIN_SECRET} visible ASCII characters, no spaces. {_ADVICE}")
        if key.session_token is not None and not (key.session_token and _SECRET.fullmatch(key.session_token)):
            raise UsageError(f"{name}: session_token must be visible ASCII characters, no spaces; leave it out if there is none")
        if not key.roles:
            raise UsageError(f"{name}: roles is empty, so the key could do nothing")


def worker_key() -> AccessKey:
    """A key that nobody else has, for workers that this server starts."""
    name = f"everstep-{secrets.token_hex(8)}"
    return AccessKey(access_key_id=name, secret_access_key=secrets.token_urlsafe(32), roles=["worker"])


def check_readers(path: Path, what: str) -> None:
    """Raises UsageError if anybody but its owner could change the file, or everybody could read it. what: it is called in errors."""
    if os.name == "nt":
        return  # who may read a file does not stand in its mode there
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise UsageError(f"the {what} {path} cannot be read: {error}") from error
    if mode & (stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP):
        raise UsageError(f"the {what} {path} can be read or changed by others (its mode is {mode:03o}): chmod 600 {path}")
    if mode & stat.S_IRGRP:
        log.warning("the %s %s can be read by its group: chmod 600 it, if that is not meant", what, path)
