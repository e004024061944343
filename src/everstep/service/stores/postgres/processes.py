"""Which process this is, in words that another process on the same machine can check.

Rule: a process counts as gone only if that is certain: on the same machine, since it was started, among the same processes (containers have
processes of their own), and with another one's or nobody's life behind its number. Everything else is left to leases.
"""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")


def this_process() -> str | None:
    """None where it cannot be told: elsewhere than on Linux."""
    machine, begun_at = _machine(), _begun_at(os.getpid())
    return None if machine is None or begun_at is None else f"{machine} {os.getpid()} {begun_at}"


def is_gone(process: str) -> bool:
    """Whether it has certainly ended. process: as `this_process` said it, anywhere."""
    machine, _, rest = process.partition(" ")
    number, _, begun_at = rest.partition(" ")
    if machine != _machine() or not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass  # somebody else's
    now = _begun_at(int(number))
    return now is not None and now != begun_at


def _machine() -> str | None:
    """This machine since it was started, and the processes that see each other there."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.readlink(_PROC / 'self/ns/pid')}"
    except OSError:
        return None


def _begun_at(process: int) -> str | None:
    """When it began, in ticks of the machine's clock; "ended" if it has only not been buried yet. None if that is not shown to us."""
    try:
        status = (_PROC / str(process) / "stat").read_text()
    except (OSError, UnicodeDecodeError):
        return None
    fields = status.rpartition(")")[2].split()  # its name, before that, may be anything
    return "ended" if fields[0] in "ZX" else fields[19]
