"""How workers that can't sign prove themselves: by a token in the path of the Runtime API that they are given.

Rule: pure. A token is derived from a key's secret for one function, all its versions, and tells nothing of the secret. It is good
as long as the key is. AWS's own runtimes take an address from AWS_LAMBDA_RUNTIME_API and add nothing but a path to it.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from typing import Final

_PURPOSE: Final = b"everstep worker "
"""So that what is derived here is never what a signature is derived from."""


def mint_worker_token(access_key_id: str, secret_access_key: str, function: str) -> str:
    """The token for a function's workers. function: its name, without a version."""
    proof = hmac.digest(_PURPOSE + secret_access_key.encode(), function.encode(), "sha256")
    return f"{access_key_id}.{urlsafe_b64encode(proof).decode().rstrip('=')}"


def key_of_worker_token(token: str) -> str:
    """The access key that it says it is of."""
    return token.partition(".")[0]


def is_worker_token(token: str, access_key_id: str, secret_access_key: str, function: str) -> bool:
    expected = mint_worker_token(access_key_id, secret_access_key, function)
    return hmac.compare_digest(expected.encode(), token.encode())


def runtime_path(function: str, token: str | None) -> str:
    """Where a function's workers find the Runtime API, below the server's address. function: with or without a version."""
    return f"/runtime/{function}" + (f"/token/{token}" if token else "")
