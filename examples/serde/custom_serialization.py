"""A step whose result is written in a way of one's own: here compressed, since it is long and the same words come again.

A serdes is two methods, and may be given to most operations.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass
from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import run


@dataclass
class Protocol:
    lines: list[str]


class Compressed:
    def serialize(self, value: Protocol) -> str:
        return json.dumps(base64.b64encode(zlib.compress("\n".join(value.lines).encode())).decode())

    def deserialize(self, text: str) -> Protocol:
        return Protocol(zlib.decompress(base64.b64decode(json.loads(text))).decode().split("\n"))


async def record(parliament: str) -> Protocol:
    return Protocol([f"{parliament}: applause"] * 5_000)


@durable
async def keep_minutes(event: str, ctx: DurableContext) -> str:
    protocol = await ctx.step(record, event, serdes=Compressed())
    await ctx.wait(timedelta(days=1))
    return f"{len(protocol.lines)} lines, the last is {protocol.lines[-1]!r}"


if __name__ == "__main__":
    run(keep_minutes, "Monday")
