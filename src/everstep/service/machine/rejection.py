"""How the machine says no: with the service's error names and messages, which clients compare word by word.

Rule: a rejected command has changed nothing. The edges turn a Rejected into their own form of error.
"""

from __future__ import annotations

from typing import Final

INVALID_TOKEN: Final = "Invalid checkpoint token"  # SDKs look for a message that starts so, in this case, and retry


class Rejected(Exception):
    """The command was refused. code: the service's error name."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(f"{code}: {message}")


def invalid(message: str) -> Rejected:
    """What was asked breaks a rule of the service."""
    return Rejected("InvalidParameterValueException", message)


def conflict(message: str) -> Rejected:
    """What was asked does not fit the execution's status."""
    return Rejected("ResourceConflictException", message)


def callback_is_over() -> Rejected:
    """The callback cannot be completed (any more), for whatever reason: the caller is not told which."""
    return Rejected("CallbackTimeoutException", "The callback is either timed out or already completed")
