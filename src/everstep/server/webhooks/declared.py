"""The webhooks file: who is told what, and where the secrets are.

Rule: it is read once, whole, before anything runs. It holds no secrets: they come from the environment or from files of their
own, and no error shows one.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from everstep.errors import UsageError
from everstep.protocol.limits import FUNCTION_NAME_PATTERN
from everstep.server.access.keys import check_readers
from everstep.server.document import read_document
from everstep.server.webhooks.target import Target
from everstep.service.machine.notices import Told, Watch

WHAT: Final = "webhooks file"
PREFIX: Final = "whsec_"
KEY_BYTES: Final = range(24, 65)
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ADVICE: Final = """python -c 'import base64, secrets; print("whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())' makes one"""


class WebhookDeclaration(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """secret_env, secret_file: where its secrets are, one of both. functions: by name. Without functions or statuses: all of them."""

    name: str
    url: str
    secret_env: str | None = None
    secret_file: str | None = None
    functions: list[str] | None = None
    statuses: list[Told] | None = None


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    webhooks: list[WebhookDeclaration]


def read_webhooks(path: Path | str, environment: Mapping[str, str] = os.environ) -> Sequence[Target]:
    """The webhooks in a YAML, TOML or JSON file. environment: where its `secret_env` are. Raises UsageError."""
    path = Path(path)
    targets: dict[str, Target] = {}
    for declared in read_document(path, _File, WHAT, is_secret=True).webhooks:
        try:
            target = _target(declared, path.parent, environment)
        except UsageError as error:
            raise UsageError(f"the {WHAT} {path}: webhook {declared.name!r}: {error}") from None
        if declared.name in targets:
            raise UsageError(f"the {WHAT} {path}: two webhooks are called {declared.name!r}")
        targets[declared.name] = target
    return list(targets.values())


def _target(declared: WebhookDeclaration, folder: Path, environment: Mapping[str, str]) -> Target:
    if not _NAME.fullmatch(declared.name):
        raise UsageError("a name has 1 to 64 letters, digits, - and _")
    for name in declared.functions or ():
        if not FUNCTION_NAME_PATTERN.fullmatch(name):
            raise UsageError(f"{name!r} is no function's name: leave out ARN and qualifier")
    if declared.functions == [] or declared.statuses == []:
        raise UsageError("functions or statuses is empty, so it would never be told anything: leave it out for all of them")
    watch = Watch(
        declared.name,
        None if declared.functions is None else frozenset(declared.functions),
        None if declared.statuses is None else frozenset(declared.statuses),
    )
    return Target(watch, declared.url, [_key(secret) for secret in _secrets(declared, folder, environment)])


def _secrets(declared: WebhookDeclaration, folder: Path, environment: Mapping[str, str]) -> Sequence[str]:
    if (declared.secret_env is None) == (declared.secret_file is None):
        raise UsageError("it needs a secret, by either secret_env or secret_file")
    if declared.secret_env is not None:
        secrets = environment.get(declared.secret_env, "").split()
        where = f"the environment variable {declared.secret_env}"
    else:
        assert declared.secret_file is not None
        file = folder / declared.secret_file
        check_readers(file, "secret file")
        try:
            secrets = file.read_text("ascii").split()
        except (OSError, UnicodeDecodeError):
            raise UsageError(f"the secret file {file} cannot be read as text") from None
        where = f"the secret file {file}"
    if not secrets:
        raise UsageError(f"{where} holds no secret. {_ADVICE}")
    return secrets


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or len(key) not in KEY_BYTES:
        raise UsageError(f"a secret is {PREFIX} and the Base64 of 24 to 64 bytes. {_ADVICE}")
    return key
