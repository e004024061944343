"""The service's limits, each with its source. Sizes are bytes of UTF-8, times are seconds."""

from __future__ import annotations

import re
from typing import Final

# Source: Lambda API model (names, times, payloads) and quotas page (operations).
MAX_NAME: Final = 256
NAME_PATTERN: Final = re.compile(r"[\x20-\x7E]{1,256}")
SUB_TYPE_PATTERN: Final = re.compile(r"[a-zA-Z0-9_-]{1,32}")
EXECUTION_NAME_PATTERN: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
FUNCTION_NAME_PATTERN: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
OPERATION_ID_PATTERN: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
TENANT_PATTERN: Final = re.compile(r"[a-zA-Z0-9._:/=+\-@ ]{1,256}")
MAX_DELAY_S: Final = 31_622_400
"""Of a wait and of a retry's delay; the least is 1."""
MAX_CALLBACK_TIMEOUT_S: Final = 99_999_999
MAX_EXECUTION_TIMEOUT_S: Final = 31_622_400
MAX_OPERATION_PAYLOAD: Final = 1_048_576
"""Of a step, context, callback or wait; also of a chained invoke's input and output."""
MAX_ERROR_BYTES: Final = 1_048_576
MAX_RESULT_SYNC: Final = 6_291_456
MAX_RESULT_ASYNC: Final = 1_048_576
MAX_OPERATIONS: Final = 3_000
MAX_WRITTEN_BYTES: Final = 100 * 1024 * 1024
"""Of payloads and errors of one execution, in all. Source: quotas page."""

# What one checkpoint request of the SDK may carry. Precedent: the official Python SDK.
MAX_BATCH_UPDATES: Final = 250
MAX_BATCH_BYTES: Final = 750 * 1024

# A context result above this is replaced by a summary, and replay runs its children again. Precedent: all SDKs of the family.
REPLAY_CHILDREN_ABOVE: Final = 262_144
