"""Timelines that are kept, brought up to date by what is new, of a service that answers from a list."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from urllib.parse import parse_qs

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from everstep.console.api import Api
from everstep.console.histories import Histories
from everstep.console.timeline import Event, timeline


class Recorded:
    """The history's operation, as the service answers it, over any list of events. read: how many events were sent."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.read = 0

    def add(self, kinds: Sequence[tuple[str, str]]) -> None:
        for kind, key in kinds:
            at = len(self.events) + 1
            self.events.append({"EventType": kind, "EventId": at, "EventTimestamp": at, "Id": key, "Name": key, f"{kind}Details": {}})

    def api(self) -> Api:
        return Api(httpx.AsyncClient(transport=httpx.MockTransport(self._answer), base_url="http://service"), None)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        asked = {name: values[0] for name, values in parse_qs(request.url.query.decode()).items()}
        ordered = self.events[::-1] if asked.get("ReverseOrder") == "true" else self.events
        start, size = int(asked.get("Marker", "0")), int(asked["MaxItems"])
        page = ordered[start : start + size]
        self.read += len(page)
        more = {"NextMarker": str(start + size)} if start + size < len(ordered) else {}
        return httpx.Response(200, text=json.dumps({"Events": page, **more}))


_KINDS = st.sampled_from(["StepStarted", "StepSucceeded", "WaitStarted", "WaitSucceeded", "InvocationCompleted"])
_PARTS = st.lists(st.lists(st.tuples(_KINDS, st.sampled_from("abc")), max_size=70), min_size=1, max_size=4)


@given(_PARTS, st.booleans())
@settings(max_examples=30)
def test_a_timeline_that_is_brought_up_to_date_is_that_of_the_whole_history(parts: list[list[tuple[str, str]]], ends: bool) -> None:
    recorded, histories = Recorded(), Histories()

    async def follow() -> None:
        for part in [*parts, [("ExecutionSucceeded", "")] if ends else []]:
            recorded.add(part)
            told = await histories.whole(recorded.api(), "one")
            assert told == timeline(recorded.events)

    asyncio.run(follow())


def test_of_a_long_history_only_what_is_new_is_read_again() -> None:
    recorded, histories = Recorded(), Histories()
    recorded.add([("StepStarted", str(number)) for number in range(3_000)])

    async def follow() -> None:
        await histories.whole(recorded.api(), "one")
        recorded.read = 0
        recorded.add([("StepSucceeded", "7")])
        told = await histories.whole(recorded.api(), "one")
        assert (told.operations[7].status, recorded.read) == ("SUCCEEDED", 50)

    asyncio.run(follow())


def test_a_long_history_that_only_begins_is_not_kept() -> None:
    recorded, histories = Recorded(), Histories()
    recorded.add([("StepStarted", str(number)) for number in range(30)])

    async def begin() -> None:
        told, is_whole = await histories.beginning(recorded.api(), "one", 10)
        assert (len(told.operations), is_whole) == (10, False)
        assert len((await histories.whole(recorded.api(), "one")).operations) == 30

    asyncio.run(begin())


def test_what_is_kept_is_bounded_by_operations() -> None:
    recorded, histories = Recorded(), Histories(room=100)
    recorded.add([("StepStarted", str(number)) for number in range(60)])

    async def fill() -> None:
        for arn in ("one", "two", "three"):
            await histories.whole(recorded.api(), arn)
        recorded.read = 0
        await histories.whole(recorded.api(), "three")
        assert recorded.read == 50
        await histories.whole(recorded.api(), "one")
        assert recorded.read == 50 + 60

    asyncio.run(fill())
