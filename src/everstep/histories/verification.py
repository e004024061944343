"""May this code go on with that execution? A replay says, without running any body or sending anything.

Rule: what is recorded is consumed in its order, as the service's next invocation would. The first thing that does not agree is
the verdict. An execution is fine if all that is recorded was asked for, wherever the code then stands.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from everstep.errors import DurableError, ReplayMismatch, UsageError
from everstep.handler import DurableHandler
from everstep.histories.recording import Recording, passed_by_replays
from everstep.protocol.shapes import Operation
from everstep.runtime.replay_only import Asked, ReplayOnly

Kind: TypeAlias = Literal["other operation", "no longer asked for", "cannot replay", "unreadable"]

UNKNOWN_ARN: Final = "arn:aws:lambda:us-east-1:123456789012:function:unknown:1/durable-execution/unknown/"


class Divergence(Struct, frozen=True, kw_only=True):
    """The first thing that does not agree. path: of the recorded operation. where: "file:line" of the code, if known."""

    kind: Kind
    path: str | None
    recorded: str
    asked: str
    where: str | None
    advice: str


class Verdict(Struct, frozen=True, kw_only=True):
    """What a replay of one recording came to. divergence: None if the code may go on with it.

    replayed: how many recorded operations it asked for. then: where the code stands after what is recorded.
    remarks: what is no obstacle, and may yet be of interest.
    """

    source: str
    execution: str
    status: str
    replayed: int
    divergence: Divergence | None
    then: str
    remarks: Sequence[str] = ()

    @property
    def is_ok(self) -> bool:
        return self.divergence is None


async def verify(handler: DurableHandler[object, object], recording: Recording) -> Verdict:
    """Replay the recording against the handler. On the running event loop, which is not blocked for long."""
    operations = {operation.id: operation for operation in recording.operations}
    arn = recording.arn or UNKNOWN_ARN + recording.operations[0].id
    try:
        engine, program = handler.prepare(arn, dict(operations), ReplayOnly)
    except DurableError as error:
        return _told(recording, 0, _cannot_replay(error), "it does not begin")
    try:
        outcome = await engine.replay(program)
        return _verdict(recording, operations, engine, outcome == "done")
    except asyncio.CancelledError:
        raise
    except Exception as error:  # a stage that cannot reach its store, for one
        return _told(recording, len(engine.passed), _cannot_replay(error), "it was cut off")
    finally:
        engine.drop()


def unreadable(source: str, error: UsageError) -> Verdict:
    """The verdict about what is no recording."""
    divergence = Divergence(kind="unreadable", path=None, recorded="", asked=str(error), where=None, advice="")
    return Verdict(source=source, execution="", status="unknown", replayed=0, divergence=divergence, then="it was not replayed")


def _verdict(recording: Recording, operations: Mapping[str, Operation], engine: ReplayOnly, is_done: bool) -> Verdict:
    replayed = len(engine.passed & operations.keys())
    failure = engine.failure
    if isinstance(failure, ReplayMismatch):
        return _told(recording, replayed, _mismatch(failure, operations), "it asks for something else")
    if failure is not None:
        return _told(recording, replayed, _cannot_replay(failure), "it fails")
    left = [operation for operation in passed_by_replays(operations) if operation.id not in engine.passed]
    then = _then(engine, is_done)
    if left and any(asked.has_key for asked in engine.asked[:1]):
        names = ", ".join(path_of(operation, operations) for operation in left[:5])
        first = f"the code first does {_label(engine.asked[0])}, which has a key and is not recorded"
        remark = f"{first}; what comes after was not verified: {names}"
        return _told(recording, replayed, None, then, [remark])
    if left:
        return _told(recording, replayed, _gone(left, operations, engine, is_done), then)
    remarks = _ends(recording, engine, is_done)
    return _told(recording, replayed, None, then, remarks)


def _told(recording: Recording, replayed: int, divergence: Divergence | None, then: str, remarks: Sequence[str] = ()) -> Verdict:
    return Verdict(
        source=recording.source,
        execution=recording.name,
        status=recording.status,
        replayed=replayed,
        divergence=divergence,
        then=then,
        remarks=remarks,
    )


# -- what does not agree -------------------------------------------------------


def _mismatch(failure: ReplayMismatch, operations: Mapping[str, Operation]) -> Divergence:
    return Divergence(
        kind="other operation",
        path=path_of(operations[failure.operation_id], operations),
        recorded=failure.recorded,
        asked=failure.asked,
        where=failure.where,
        advice=(
            'Keep what running executions have passed: put new code under `if ctx.patched("…"):`, give a renamed operation its old '
            "name (name=…), give operations that move keys (key=…) before executions begin, or publish a new version and let these "
            "finish on the old one."
        ),
    )


def _gone(left: Sequence[Operation], operations: Mapping[str, Operation], engine: ReplayOnly, is_done: bool) -> Divergence:
    first = left[0]
    others = f", and {len(left) - 1} more" if len(left) > 1 else ""
    asked = engine.asked[0] if engine.asked and not is_done else None
    instead = _end_of(engine) if is_done else f"new: {_label(asked)}" if asked is not None else "nothing further"
    return Divergence(
        kind="no longer asked for",
        path=path_of(first, operations),
        recorded=f"{describe(first)} ({first.status}){others}",
        asked=instead,
        where=asked.where if asked is not None else None,
        advice=(
            'The execution has gone past this: keep the operation for those that have it, with `if not ctx.patched("…"):` around it, '
            'and do the new work under `if ctx.patched("…"):`; or publish a new version and let these finish on the old one.'
        ),
    )


def _end_of(engine: ReplayOnly) -> str:
    try:
        engine.result()
    except Exception as error:
        return f"nothing further: the handler raises {type(error).__name__}: {error}"
    return "nothing further: the handler returns"


def _cannot_replay(error: BaseException) -> Divergence:
    is_ours = isinstance(error, UsageError)
    return Divergence(
        kind="cannot replay",
        path=None,
        recorded="",
        asked=f"{type(error).__name__}: {error}",
        where=None,
        advice="" if is_ours else "Configure the handler as it is where it runs: its stages, its serdes and what they need.",
    )


# -- where it ends -------------------------------------------------------------


def _then(engine: ReplayOnly, is_done: bool) -> str:
    if is_done:
        return "the handler ends"
    if engine.asked:
        return f"asks for new work: {_label(engine.asked[0])}"
    return "waits for what is recorded as under way"


def _ends(recording: Recording, engine: ReplayOnly, is_done: bool) -> list[str]:
    """Remarks on an end that is another than the recorded one."""
    if recording.is_open:
        return []
    if not is_done:
        return [f"the recorded execution had ended {recording.status} here"] if engine.asked else []
    try:
        text = engine.result()
    except Exception as error:
        if recording.status == "FAILED":
            return []
        return [f"the handler now raises {type(error).__name__}: {error}; the recorded execution ended {recording.status}"]
    if recording.status != "SUCCEEDED":
        return [f"the handler now returns; the recorded execution ended {recording.status}"]
    if not is_same_json(text, recording.result):
        return ["the handler now returns another result than is recorded"]
    return []


def is_same_json(one: str | None, other: str | None) -> bool:
    if one == other or not one or not other:  # an absent one was too large to be returned
        return True
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return False


# -- names ---------------------------------------------------------------------


def describe(operation: Operation) -> str:
    kind = operation.sub_type or operation.type
    return f'{kind} "{operation.name}"' if operation.name else f"an unnamed {kind}"


def path_of(operation: Operation, operations: Mapping[str, Operation]) -> str:
    """The names from the outermost context to the operation, joined by "/"."""
    names = [operation.name or operation.sub_type or operation.type]
    parent = operations.get(operation.parent_id or "")
    while parent is not None:
        names.append(parent.name or parent.sub_type or parent.type)
        parent = operations.get(parent.parent_id or "")
    return "/".join(reversed(names))


def _label(asked: Asked) -> str:
    name = f'{asked.kind} "{asked.name}"' if asked.name else f"an unnamed {asked.kind}"
    return f"{name} at {asked.where}" if asked.where else name
