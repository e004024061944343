"""How pages write times, durations, payloads and statuses.

Rule: pure. Everything is text that the templates escape; nothing here is markup.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Final

FOLDED_CHARS: Final = 600
"""A payload longer than this is shown folded."""
SHOWN_CHARS: Final = 200_000
"""Of a payload; of a longer one the rest is left out, and that is said."""

WORDS: Final = {
    "RUNNING": "Running",
    "SUCCEEDED": "Succeeded",
    "FAILED": "Failed",
    "TIMED_OUT": "Timed out",
    "STOPPED": "Stopped",
    "DELETING": "Deleting",
    "PAUSING": "Pausing",
    "PAUSED": "Paused",
    "STARTED": "Running",
    "WAITING": "Waiting",
    "RETRYING": "Retrying",
    "CANCELLED": "Cancelled",
}
_ROLE: Final = "create callback id"
"""What SDKs add to the name of a wait_for_callback, for the callback in it."""
STATUSES: Final = ("RUNNING", "PAUSING", "PAUSED", "SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED", "DELETING")
OPEN: Final = ("RUNNING", "PAUSING", "PAUSED")


def word(status: str) -> str:
    return WORDS.get(status, status.replace("_", " ").capitalize())


def duration(seconds: float) -> str:
    """In the two largest units that matter: 1 d 4 h, 3 min 20 s, 1.25 s, 14 ms."""
    seconds = max(0.0, seconds)
    if seconds < 0.9995:
        return f"{round(seconds * 1000)} ms"
    if seconds < 59.95:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    for unit, size, smaller, part in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {unit} {rest} {smaller}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"


def exact(at: float) -> str:
    """A time to the millisecond, in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00") + " UTC"


def machine_readable(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def clock_time(at: float, now: float) -> str:
    """As short as it is clear: the time of today, the date and time of other days."""
    moment, today = datetime.fromtimestamp(at, UTC), datetime.fromtimestamp(now, UTC)
    if moment.date() == today.date():
        return f"{moment:%H:%M:%S}"
    return f"{moment:%d %b %H:%M}" if moment.year == today.year else f"{moment:%d %b %Y}"


def ago(at: float, now: float) -> str:
    return f"in {duration(at - now)}" if at > now + 1 else f"{_largest(now - at)} ago"


def _largest(seconds: float) -> str:
    return " ".join(duration(max(1.0, float(int(seconds)))).split()[:2])


def pretty(payload: str) -> str:
    """The same as `editable`, cut where it is too long to be read."""
    text = editable(payload)
    if len(text) > SHOWN_CHARS:
        return f"{text[:SHOWN_CHARS]}\n… {len(text) - SHOWN_CHARS:,} more characters are not shown"
    return text


def editable(payload: str) -> str:
    """JSON with its structure laid open; any other text as it is."""
    try:
        return json.dumps(json.loads(payload), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return payload


def json_problem(text: str) -> str | None:
    """Why the text is not JSON, with the place; None if it is."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"line {error.lineno}, column {error.colno}: {error.msg}"
    except (ValueError, RecursionError) as error:
        return str(error)
    return None


def spaced(name: str) -> str:
    """The words of a name in CamelCase, in lower case."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def without_role(name: str) -> str:
    """What the user called it, of the callback inside a wait_for_callback."""
    return name.removesuffix(_ROLE).rstrip()


def rate(per_hour: float) -> str:
    """As many digits as say something."""
    return count(round(per_hour)) if per_hour >= 10 else f"{per_hour:.2g}"


def percent(share: float) -> str:
    if 0 < share < 0.001:
        return "< 0.1%"
    return f"{share:.1%}".replace(".0%", "%")


def count(number: int) -> str:
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
