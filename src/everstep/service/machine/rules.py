"""What an operator may set about how executions are run, with the service's own figures as defaults."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from everstep.protocol.limits import MAX_OPERATIONS, MAX_WRITTEN_BYTES

BACKOFF_FIRST_MS: Final = 1_000
BACKOFF_LONGEST_MS: Final = 60_000
IDEMPOTENCY_WINDOW_MS: Final = 15 * 60 * 1_000
"""How long a repeated ClientToken is recognised. Source: API model, checkpoint, pause and resume."""


class Rules(Struct, frozen=True, kw_only=True):
    """Quotas and retries.

    max_operations: begun operations, step retries and failed invocations of one execution. Source: quotas page.
    max_written_bytes: of payloads and errors of one execution, in all. Source: quotas page.
    max_failures: failed invocations in a row after which the execution fails; None: retried until its timeout.
    max_empty_pendings: how often in a row an invocation that suspends on nothing is tried again.
        Precedent: the official emulator.
    """

    max_operations: int = MAX_OPERATIONS
    max_written_bytes: int = MAX_WRITTEN_BYTES
    max_failures: int | None = None
    max_empty_pendings: int = 3


RULES: Final = Rules()


def backoff_ms(failures: int, jitter: float) -> int:
    """How long to wait after that many failed invocations in a row (from 1). jitter: 0 to 1; 1 is the full time, 0 half of it."""
    longest = min(BACKOFF_LONGEST_MS, BACKOFF_FIRST_MS << min(failures - 1, 10))
    return int(longest * (1 + jitter) / 2)
