"""A durable function as a service in the same process calls it: what goes in and what comes out of one invocation.

Rule: the service knows handlers by this Protocol alone, so neither side imports the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from msgspec import Struct

from everstep.client.api import DurableClient
from everstep.protocol.shapes import InvocationOutput, Operation

In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)


class Invocation(Struct, frozen=True, kw_only=True):
    """One invocation of a durable function.

    operations: by id, in the order in which they began, the EXECUTION operation first. It is the service's own, live
        mapping: it changes with every checkpoint and must not be changed or kept; copy it to have the state of now.
    updated_operation_ids: what the service changed since the previous invocation; empty on the first.
    request_id: of this invocation alone, for logs. deadline: when the service gives it up, in ms since the epoch.
    invoked_as: the function's ARN as the caller qualified it. tenant_id, trace_header: as the caller gave them.
    """

    arn: str
    checkpoint_token: str
    request_id: str
    operations: Mapping[str, Operation]
    updated_operation_ids: Sequence[str] = ()
    deadline: int | None = None
    invoked_as: str | None = None
    tenant_id: str | None = None
    trace_header: str | None = None


class DurableFunction(Protocol[In_contra, Out_co]):
    """What can be registered with a service. Payloads are JSON text."""

    @property
    def name(self) -> str: ...

    def encode_input(self, value: In_contra, /) -> str:
        """The JSON text that an execution is started with. Raises SerializationError."""
        ...

    def decode_output(self, text: str | None, /) -> Out_co:
        """The result of an execution, from what was recorded; None if nothing was."""
        ...

    async def invoke(self, invocation: Invocation, client: DurableClient, /) -> InvocationOutput:
        """Run the handler until it ends or suspends. Raising means that the invocation failed: it is tried again."""
        ...

    def drop_parked(self) -> None:
        """The service stops: let go of executions that are kept in memory. They are replayed when they go on."""
        ...
