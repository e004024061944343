"""The result of a map or parallel, and the text that is recorded of it.

Rule: what is recorded holds every item's outcome and the reason of completion, so a replay returns the identical result.
A text above the limit for contexts is replaced by a summary that names the items; their results then stay in the items'
own records. Source: batch format that the official SDKs converge on ({"all": …, "completionReason": …}, summary above 256 KiB).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Final, Generic, Literal, TypeAlias, TypeVar, TypeVarTuple, cast

import msgspec

from everstep.errors import BatchError, ChildContextError, OperationError, SerializationError, UsageError
from everstep.failures import restore, type_name
from everstep.operations.completion import CompletionReason
from everstep.protocol.shapes import ErrorObject
from everstep.serdes import PLAIN

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
ItemStatus: TypeAlias = Literal["SUCCEEDED", "FAILED", "STARTED"]
BatchKind: TypeAlias = Literal["Map", "Parallel"]


class BatchItem(msgspec.Struct, Generic[T], frozen=True):
    """One item or branch. index: its position in the input. STARTED: it had not ended when the batch was complete."""

    index: int
    status: ItemStatus
    result: T | None = None
    error: OperationError | None = None


class BatchResult(msgspec.Struct, Generic[T], frozen=True):
    """What became of all items that were started, by index. Iterating gives the results of those that succeeded."""

    all: Sequence[BatchItem[T]]
    completion_reason: CompletionReason

    def succeeded(self) -> list[BatchItem[T]]:
        return [item for item in self.all if item.status == "SUCCEEDED"]

    def failed(self) -> list[BatchItem[T]]:
        return [item for item in self.all if item.status == "FAILED"]

    def started(self) -> list[BatchItem[T]]:
        """Items that were still running when the batch was complete."""
        return [item for item in self.all if item.status == "STARTED"]

    def get_results(self) -> list[T]:
        """Results of the items that succeeded, by index."""
        return [cast("T", item.result) for item in self.all if item.status == "SUCCEEDED"]

    def get_errors(self) -> list[OperationError]:
        """Errors of the items that failed, by index."""
        return [item.error for item in self.all if item.error is not None]

    def throw_if_error(self) -> None:
        """Raise the first failed item's error, which is then also a BatchError; nothing if none failed.

        A completion rule of one's own that said "FAILED" raises a BatchError, too.
        """
        for item in self.all:
            if item.status == "FAILED":
                error = item.error or OperationError()
                recorded = ErrorObject(
                    error_message=error.message,
                    error_type=error.error_type,
                    error_data=error.data,
                    stack_trace=list(error.stack_trace) or None,
                )
                raise restore(recorded, BatchError)
        if self.completion_reason == "CUSTOM_COMPLETION_FAILED":
            raise BatchError("the batch's own completion rule says that it failed", type_name(BatchError))

    def __iter__(self) -> Iterator[T]:
        return iter(self.get_results())

    def __len__(self) -> int:
        return len(self.all)

    @property
    def has_failure(self) -> bool:
        return any(item.status == "FAILED" for item in self.all)

    @property
    def status(self) -> Literal["SUCCEEDED", "FAILED"]:
        """FAILED if any item failed, whatever was tolerated; what the completion's own rule said, if that decided."""
        match self.completion_reason:
            case "CUSTOM_COMPLETION_FAILED":
                return "FAILED"
            case "CUSTOM_COMPLETION_SUCCEEDED":
                return "SUCCEEDED"
            case _:
                return "FAILED" if self.has_failure else "SUCCEEDED"

    @property
    def success_count(self) -> int:
        return sum(item.status == "SUCCEEDED" for item in self.all)

    @property
    def failure_count(self) -> int:
        return sum(item.status == "FAILED" for item in self.all)

    @property
    def started_count(self) -> int:
        return sum(item.status == "STARTED" for item in self.all)

    @property
    def total_count(self) -> int:
        """Of the items that were started."""
        return len(self.all)


class TupleResult(BatchResult[object], Generic[*Ts], frozen=True):
    """The result of a parallel over a tuple of branches: `values()` has the types of the branches."""

    def values(self) -> tuple[*Ts]:
        """All values, in the order of the branches. Raises the first failed one's error; UsageError if some have not ended."""
        self.throw_if_error()
        if self.started() or not all_ended(self):
            raise UsageError("values() needs every branch to have ended: this parallel was complete before")
        return cast("tuple[*Ts]", tuple(self.get_results()))


def all_ended(result: BatchResult[object]) -> bool:
    """Whether the batch ran to its end."""
    return result.completion_reason == "ALL_COMPLETED"


def divided(items: Iterable[T], *, max_items: int, max_bytes: int) -> list[list[T]]:
    """The items in batches, in order, none lost. An item above max_bytes of JSON is a batch of its own. Raises UsageError."""
    if max_items < 1 or max_bytes < 1:
        raise UsageError(f"a batch of max_items={max_items} and max_bytes={max_bytes} can hold nothing; the least is 1")
    batches: list[list[T]] = []
    size = 0
    for item in items:
        item_size = len(PLAIN.serialize(item).encode())
        if not batches or len(batches[-1]) >= max_items or size + item_size > max_bytes:
            batches.append([])
            size = 0
        batches[-1].append(item)
        size += item_size
    return batches


_decode_raw: Final = msgspec.json.Decoder(msgspec.Raw).decode


class RecordedItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """An item as it is recorded. result: the item's own recorded text, as JSON inside the JSON. text: the same, of a serdes whose
    texts are no JSON."""

    index: int
    status: ItemStatus
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: ErrorObject | None = None
    text: str | None = None


class RecordedBatch(msgspec.Struct, frozen=True, rename={"completion_reason": "completionReason"}):
    all: Sequence[RecordedItem]
    completion_reason: CompletionReason


class Summary(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What is recorded instead of a batch that is too large. total_count: items that were started, which are the first ones."""

    type: str
    total_count: int
    completion_reason: CompletionReason
    started_indexes: Sequence[int] | None = None
    started_count: int = 0
    success_count: int = 0
    failure_count: int = 0
    status: str = "SUCCEEDED"


def batch_text(items: Sequence[RecordedItem], reason: CompletionReason) -> str:
    """What is recorded of a batch."""
    return msgspec.json.encode(RecordedBatch(all=[_embeddable(item) for item in items], completion_reason=reason)).decode()


def _embeddable(item: RecordedItem) -> RecordedItem:
    """The item with its result as a string where that is no JSON, which would make the whole unreadable (or has space around)."""
    if not isinstance(item.result, msgspec.Raw):
        return item
    own = bytes(item.result)
    with suppress(msgspec.DecodeError):
        if bytes(_decode_raw(own)) == own:
            return item
    return RecordedItem(item.index, item.status, text=own.decode())


def summary_text(kind: BatchKind, items: Sequence[RecordedItem], reason: CompletionReason) -> str:
    """What is recorded of a batch whose items are too large to be repeated."""
    failures = sum(item.status == "FAILED" for item in items)
    started = [item.index for item in items if item.status == "STARTED"]
    summary = Summary(
        type=f"{kind}Result",
        total_count=len(items),
        completion_reason=reason,
        started_indexes=started,
        started_count=len(started),
        success_count=len(items) - failures - len(started),
        failure_count=failures,
        status="FAILED" if failures else "SUCCEEDED",
    )
    return msgspec.json.encode(summary).decode()


def _own_text(item: RecordedItem) -> str | None:
    """The item's text as its serdes wrote it; None if it has no result."""
    return bytes(item.result).decode() if isinstance(item.result, msgspec.Raw) else item.text


def read_batch(text: str, read_item: Callable[[int, str], T]) -> BatchResult[T]:
    """The batch that `batch_text` wrote. read_item: (index, an item's recorded text) to its value. Raises SerializationError."""
    try:
        recorded = msgspec.json.decode(text, type=RecordedBatch)
    except msgspec.MsgspecError as error:
        raise SerializationError(f"the recorded result of a batch can't be read: {error}") from error
    items = [
        BatchItem(
            index=item.index,
            status=item.status,
            result=None if (own := _own_text(item)) is None else read_item(item.index, own),
            error=restore(item.error, ChildContextError) if item.error is not None or item.status == "FAILED" else None,
        )
        for item in recorded.all
    ]
    return BatchResult(items, recorded.completion_reason)


def read_summary(text: str) -> Summary:
    """The summary that `summary_text` wrote. Raises SerializationError."""
    try:
        return msgspec.json.decode(text, type=Summary)
    except msgspec.MsgspecError as error:
        raise SerializationError(f"the recorded summary of a batch can't be read: {error}") from error
