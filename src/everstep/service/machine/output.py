"""What an invocation may answer, and what is wrong with it if it may not.

Source: the service's messages, as the official emulator and observers of the cloud report them.
"""

from __future__ import annotations

from typing import Final

from msgspec import DecodeError
from msgspec.json import Decoder

from everstep.protocol.shapes import InvocationOutput

INVALID_STATUS: Final = "Invalid Status in invocation output."

_output: Final = Decoder(InvocationOutput)
_object: Final = Decoder(dict[str, object])


def parse_output(output: str | InvocationOutput) -> InvocationOutput | str:
    """The output, or a sentence about what is wrong with it. output: the JSON text that the function returned, or its parsed form."""
    answer = _parsed(output) if isinstance(output, str) else output
    if isinstance(answer, str):
        return answer
    if answer.status == "SUCCEEDED" and answer.error is not None:
        return "Cannot provide an Error for SUCCEEDED status."
    if answer.status == "FAILED" and answer.result is not None:
        return "Cannot provide a Result for FAILED status."
    return answer


def _parsed(text: str) -> InvocationOutput | str:
    try:
        return _output.decode(text)
    except (DecodeError, UnicodeEncodeError):
        return _complaint(text)


def _complaint(text: str) -> str:
    try:
        members = _object.decode(text)
    except (DecodeError, UnicodeEncodeError):
        return INVALID_STATUS
    if members.get("Status") not in ("SUCCEEDED", "FAILED", "PENDING"):
        return INVALID_STATUS
    if not isinstance(members.get("Result"), str | None):
        return "Invalid invocation output: Result must be a string."
    return "Invalid invocation output: Error must be an ErrorObject."
