"""Which moves an operation can make: one table that the handler's side and the service both read.

Rule: a status that leads nowhere in either table is final. MOVES are what a handler may ask for; the service makes
SERVICE_MOVES by itself, when a timer is due or an outside party answers, and so an operation is *pending* exactly when
it stands there: the handler may suspend on it, because the service will move it on. The EXECUTION operation is no
part of that: it ends when its execution does, also as TIMED_OUT or STOPPED.

Source: the transition rules of the durable execution service, as the official emulators apply them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from everstep.protocol.shapes import OperationAction, OperationStatus, OperationType

# (type, status before, action) -> status after. None: not recorded yet.
MOVES: Final[Mapping[tuple[OperationType, OperationStatus | None, OperationAction], OperationStatus]] = {
    ("EXECUTION", "STARTED", "SUCCEED"): "SUCCEEDED",
    ("EXECUTION", "STARTED", "FAIL"): "FAILED",
    ("CONTEXT", None, "START"): "STARTED",
    ("CONTEXT", None, "SUCCEED"): "SUCCEEDED",
    ("CONTEXT", None, "FAIL"): "FAILED",
    ("CONTEXT", "STARTED", "SUCCEED"): "SUCCEEDED",
    ("CONTEXT", "STARTED", "FAIL"): "FAILED",
    ("STEP", None, "START"): "STARTED",
    ("STEP", None, "SUCCEED"): "SUCCEEDED",
    ("STEP", None, "FAIL"): "FAILED",
    ("STEP", None, "RETRY"): "PENDING",
    ("STEP", "STARTED", "SUCCEED"): "SUCCEEDED",
    ("STEP", "STARTED", "FAIL"): "FAILED",
    ("STEP", "STARTED", "RETRY"): "PENDING",
    ("STEP", "READY", "START"): "STARTED",
    ("STEP", "READY", "SUCCEED"): "SUCCEEDED",
    ("STEP", "READY", "FAIL"): "FAILED",
    ("STEP", "READY", "RETRY"): "PENDING",
    ("WAIT", None, "START"): "STARTED",
    ("WAIT", "STARTED", "CANCEL"): "CANCELLED",
    ("CALLBACK", None, "START"): "STARTED",
    ("CHAINED_INVOKE", None, "START"): "STARTED",  # or FAILED at once, if there is no such function
}

ACTIONS: Final[frozenset[tuple[OperationType, OperationAction]]] = frozenset((kind, action) for kind, _, action in MOVES)
"""The actions that a type of operation knows, whatever its status."""

# (type, status before) -> the statuses that the service may move it to
SERVICE_MOVES: Final[Mapping[tuple[OperationType, OperationStatus], frozenset[OperationStatus]]] = {
    ("STEP", "PENDING"): frozenset({"READY"}),
    ("WAIT", "STARTED"): frozenset({"SUCCEEDED"}),
    ("CALLBACK", "STARTED"): frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT"}),
    ("CHAINED_INVOKE", "STARTED"): frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED"}),
}
