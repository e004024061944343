"""How hard randomised tests try: as `make test` has time for, or `EVERSTEP_EFFORT` times as much, as `make fuzz` sets it."""

from __future__ import annotations

import os
from typing import Final

EFFORT: Final = int(os.environ.get("EVERSTEP_EFFORT", "1"))


def examples(usual: int) -> int:
    return usual * EFFORT
