"""Serdes of the handlers' own."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Final

from everstep import BatchItem, BatchResult


class UpperCase:
    """JSON, its text in upper case."""

    def serialize(self, value: str) -> str:
        return json.dumps(value.upper())

    def deserialize(self, text: str) -> str:
        value: str = json.loads(text)
        return value


class BareUpperCase:
    """The value itself, in upper case and without quotes."""

    def serialize(self, value: str) -> str:
        return value.upper()

    def deserialize(self, text: str) -> str:
        return text.upper()


class Prefixed:
    """The value itself, behind a prefix."""

    def __init__(self, prefix: str) -> None:
        self._prefix: Final = prefix

    def serialize(self, value: str) -> str:
        return self._prefix + value

    def deserialize(self, text: str) -> str:
        return text.removeprefix(self._prefix)


class Wrapped:
    """JSON in an envelope."""

    def serialize(self, value: str) -> str:
        return json.dumps({"wrapped": value})

    def deserialize(self, text: str) -> str:
        value: str = json.loads(text)["wrapped"]
        return value


class Results:
    """The results of a batch that succeeded, as one line."""

    PREFIX: Final = "OPSERDE:"

    def serialize(self, value: BatchResult[str]) -> str:
        return self.PREFIX + ",".join(value.get_results())

    def deserialize(self, text: str) -> BatchResult[str]:
        results = text.removeprefix(self.PREFIX).split(",")
        items = [BatchItem(index, "SUCCEEDED", result) for index, result in enumerate(results)]
        return BatchResult(items, "ALL_COMPLETED")


class Parsed:
    """Reads the sent JSON by a function; nothing is ever written."""

    def __init__(self, read: Callable[[str], object]) -> None:
        self._read = read

    def serialize(self, value: object) -> str:
        return json.dumps(value)

    def deserialize(self, text: str) -> object:
        return self._read(text)


def message(text: str) -> object:
    """A sent message, its timestamp in seconds since the epoch."""
    parsed: dict[str, object] = json.loads(text)
    moment = datetime.fromisoformat(str(parsed["timestamp"]))
    return parsed | {"timestamp": int(moment.timestamp())}


def number(text: str) -> object:
    return int(json.loads(text))
