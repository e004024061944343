"""The certificate that a server shows, by the files that it stands in.

Rule: files that can't be used are refused when the server starts, in words that say which.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from msgspec import Struct

from everstep.errors import UsageError


class Certificate(Struct, frozen=True):
    """chain: the server's certificate, then those between it and the authority's, as PEM. key: not encrypted, as PEM."""

    chain: Path
    key: Path

    def check(self) -> None:
        """Raises UsageError if a server can't show it."""
        for path in (self.chain, self.key):
            if not path.is_file():
                raise UsageError(f"there is no file {path}: TLS needs a certificate and its key, as PEM")
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.chain, self.key, password=_no_password)
        except (OSError, ValueError) as error:  # ssl's own errors are OSErrors
            raise UsageError(f"{self.chain} and {self.key} are no certificate and its key, as unencrypted PEM: {error}") from error


def _no_password() -> str:
    raise ValueError("the key is encrypted, and nobody is there to ask for its password")
