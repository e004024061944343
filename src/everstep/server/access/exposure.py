"""Whether a server may listen where it is told to.

Rule: pure. Without keys, whoever reaches the port can do everything, so it is for this machine alone unless somebody says
in so many words that it is not. A browser on this machine reaches it in the name of any web page, so pages from elsewhere
are strangers too.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final

from everstep.errors import UsageError

_ORIGIN: Final = re.compile(r"https?://(?P<host>\[[^]]+\]|[^:/]+)(?::[0-9]+)?")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_of_this_machine(origin: str) -> bool:
    """Whether a web page was served by this machine. origin: as browsers send it with what its scripts ask."""
    found = _ORIGIN.fullmatch(origin)
    return found is not None and is_loopback(found["host"].strip("[]"))


def check_exposure(host: str, *, has_keys: bool, without_credentials: bool) -> None:
    """Raises UsageError."""
    if has_keys and without_credentials:
        raise UsageError("--credentials and --without-credentials contradict each other: drop one")
    if not (has_keys or without_credentials or is_loopback(host)):
        raise UsageError(
            f"{host or 'every address'} can be reached from other machines, and without credentials whoever does can do everything. "
            "Give --credentials FILE (docs/server.md, Access), or --without-credentials if your network keeps everybody else out"
        )
