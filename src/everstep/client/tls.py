"""TLS with the system's certificates, loaded as late and as few as possible.

Rule: what is trusted is what `ssl.create_default_context()` trusts. Where the system also keeps its certificates in a
directory by hash, OpenSSL reads the one that it needs from there; loading the whole bundle costs 20 ms of each cold start.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


class Tls:
    """Turns connections to `host` into encrypted ones. ca_bundle: a file of certificates to trust, instead of the system's."""

    def __init__(self, host: str, ca_bundle: str | None = None) -> None:
        self._host = host
        self._ca_bundle = ca_bundle
        self._context: ssl.SSLContext | None = None

    def secure(self, connect: Callable[[], socket.socket]) -> socket.socket:
        """The connection that `connect` makes, once the other side has proven to be `host`. Raises OSError."""
        import ssl

        if self._context is None and self._ca_bundle is None:
            directory = hashed_directory(ssl.get_default_verify_paths())
            if directory is not None:
                context = ssl.create_default_context(capath=directory)
                with suppress(ssl.SSLCertVerificationError):  # the directory may be incomplete: then the bundle decides
                    secured = context.wrap_socket(connect(), server_hostname=self._host)
                    self._context = context
                    return secured
        if self._context is None:
            self._context = ssl.create_default_context(cafile=self._ca_bundle)
        return self._context.wrap_socket(connect(), server_hostname=self._host)


def hashed_directory(paths: ssl.DefaultVerifyPaths) -> str | None:
    """Where the system keeps its certificates by hash, or None if it doesn't, or the environment names others."""
    if not paths.capath or paths.openssl_cafile_env in os.environ or paths.openssl_capath_env in os.environ:
        return None
    with os.scandir(paths.capath) as entries:
        return paths.capath if any(entry.name.endswith(".0") for entry in entries) else None
