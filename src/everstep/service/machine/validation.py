"""What the service's front end checks before anything else: lengths, patterns and ranges of a request's members.

Rule: all violations are reported together, in the front end's words, under the request's own paths.

Source: constraints of the API model; the wording as the service answers it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from everstep.protocol.limits import (
    EXECUTION_NAME_PATTERN,
    MAX_CALLBACK_TIMEOUT_S,
    MAX_DELAY_S,
    MAX_NAME,
    NAME_PATTERN,
    OPERATION_ID_PATTERN,
    SUB_TYPE_PATTERN,
    TENANT_PATTERN,
)
from everstep.protocol.shapes import OperationUpdate
from everstep.service.machine.rejection import Rejected

TOKEN_PATTERN: Final = re.compile(r"[A-Za-z0-9+/]{1,2046}={0,2}")
CLIENT_TOKEN_PATTERN: Final = re.compile(r"[\x21-\x7E]{1,64}")
MAX_TOKEN: Final = 2048
MAX_CLIENT_TOKEN: Final = 64
MAX_PAYLOAD: Final = 6_291_456
MAX_FUNCTION_NAME: Final = 256
MAX_TRACE_HEADER: Final = 8192
MAX_REASON: Final = 1024
MAX_IDENTIFIER: Final = 64
MAX_SUB_TYPE: Final = 32
MAX_TENANT: Final = 256


class Violations:
    """What is wrong with a request, path by path."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def length(self, path: str, value: str, longest: int, *, is_secret: bool = False) -> bool:
        """Whether 1..longest holds. is_secret: the value is not repeated in the message."""
        if not value:
            self._add(path, value, "Member must have length greater than or equal to 1", is_secret=is_secret)
        elif len(value) > longest:
            self._add(path, value, f"Member must have length less than or equal to {longest}", is_secret=is_secret)
        else:
            return True
        return False

    def pattern(self, path: str, value: str, pattern: re.Pattern[str], longest: int, shown: str) -> None:
        """shown: the pattern as the model writes it."""
        if not pattern.fullmatch(value) and self.length(path, value, longest):
            self._add(path, value, f"Member must satisfy regular expression pattern: {shown}")

    def range(self, path: str, value: int, least: int, most: int) -> None:
        if value < least:
            self._add(path, value, f"Member must have value greater than or equal to {least}")
        elif value > most:
            self._add(path, value, f"Member must have value less than or equal to {most}")

    def required(self, path: str) -> None:
        """Say that a member is missing."""
        self._found.append(f"Value null at '{path}' failed to satisfy constraint: Member must not be null")

    def one_of(self, path: str, value: str, allowed: Sequence[str]) -> None:
        if value not in allowed:
            self._add(path, value, f"Member must satisfy enum value set: [{', '.join(allowed)}]")

    def _add(self, path: str, value: str | int, constraint: str, *, is_secret: bool = False) -> None:
        subject = "Value" if is_secret else f"Value '{value}'"
        self._found.append(f"{subject} at '{path}' failed to satisfy constraint: {constraint}")

    def reject(self) -> None:
        """Raises Rejected if there are any."""
        if self._found:
            count = len(self._found)
            raise Rejected("ValidationException", f"{count} validation error{'s' * (count > 1)} detected: {'; '.join(self._found)}")


def check_checkpoint(token: str, updates: Sequence[OperationUpdate], client_token: str | None) -> None:
    """Raises Rejected if the request's members are out of bounds."""
    violations = Violations()
    violations.pattern("checkpointToken", token, TOKEN_PATTERN, MAX_TOKEN, "[A-Za-z0-9+/]+={0,2}")
    if client_token is not None:
        violations.pattern("clientToken", client_token, CLIENT_TOKEN_PATTERN, MAX_CLIENT_TOKEN, r"[\x21-\x7E]+")
    for number, update in enumerate(updates, start=1):
        _check_update(violations, number, update)
    violations.reject()


def _check_update(violations: Violations, number: int, update: OperationUpdate) -> None:
    # Every update comes through here: what is as usual is passed over without building its path.
    if not OPERATION_ID_PATTERN.fullmatch(update.id):
        violations.pattern(_path(number, "id"), update.id, OPERATION_ID_PATTERN, MAX_IDENTIFIER, "[a-zA-Z0-9-_]+")
    if update.parent_id is not None and not OPERATION_ID_PATTERN.fullmatch(update.parent_id):
        violations.pattern(_path(number, "parentId"), update.parent_id, OPERATION_ID_PATTERN, MAX_IDENTIFIER, "[a-zA-Z0-9-_]+")
    if update.name is not None and not NAME_PATTERN.fullmatch(update.name):
        violations.pattern(_path(number, "name"), update.name, NAME_PATTERN, MAX_NAME, r"[\x20-\x7E]+")
    if update.sub_type is not None and not SUB_TYPE_PATTERN.fullmatch(update.sub_type):
        violations.pattern(_path(number, "subType"), update.sub_type, SUB_TYPE_PATTERN, MAX_SUB_TYPE, "[a-zA-Z0-9-_]+")
    if update.payload is not None and len(update.payload) > MAX_PAYLOAD:
        violations.length(_path(number, "payload"), update.payload, MAX_PAYLOAD, is_secret=True)
    if update.step_options is not None:
        path = _path(number, "stepOptions.nextAttemptDelaySeconds")
        violations.range(path, update.step_options.next_attempt_delay_seconds, 1, MAX_DELAY_S)
    if update.wait_options is not None:
        violations.range(_path(number, "waitOptions.waitSeconds"), update.wait_options.wait_seconds, 1, MAX_DELAY_S)
    if (callback := update.callback_options) is not None:
        for member, seconds in (
            ("timeoutSeconds", callback.timeout_seconds),
            ("heartbeatTimeoutSeconds", callback.heartbeat_timeout_seconds),
        ):
            if seconds is not None:
                violations.range(_path(number, f"callbackOptions.{member}"), seconds, 0, MAX_CALLBACK_TIMEOUT_S)
    if (invoke := update.chained_invoke_options) is not None:
        violations.length(_path(number, "chainedInvokeOptions.functionName"), invoke.function_name, MAX_FUNCTION_NAME)
        if invoke.x_amzn_trace_id:
            violations.length(_path(number, "chainedInvokeOptions.xAmznTraceId"), invoke.x_amzn_trace_id, MAX_TRACE_HEADER)


def _path(number: int, member: str) -> str:
    return f"updates.{number}.member.{member}"


def check_execution_name(name: str) -> None:
    """Raises Rejected if an execution cannot be named so."""
    violations = Violations()
    violations.pattern("durableExecutionName", name, EXECUTION_NAME_PATTERN, MAX_IDENTIFIER, "[a-zA-Z0-9-_]+")
    violations.reject()


def check_tenant_id(tenant_id: str) -> None:
    """Raises Rejected if a tenant cannot be named so."""
    violations = Violations()
    violations.pattern("tenantId", tenant_id, TENANT_PATTERN, MAX_TENANT, r"[a-zA-Z0-9\._:\/=+\-@ ]+")
    violations.reject()


def check_pause(reason: str | None, client_token: str | None) -> None:
    """Raises Rejected if a pause or resume cannot be asked for so."""
    violations = Violations()
    if reason:
        violations.length("reason", reason, MAX_REASON, is_secret=True)
    if client_token is not None:
        violations.pattern("clientToken", client_token, CLIENT_TOKEN_PATTERN, MAX_CLIENT_TOKEN, r"[\x21-\x7E]+")
    violations.reject()
