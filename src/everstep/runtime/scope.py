"""Where in the program code stands: contexts, and the scopes in which operations take their numbers.

Rule: a context is a node of the operation tree; a scope is one line of execution inside it. Each task has a scope of its
own, so ids never depend on which sibling ran first. Code may use only the context in whose scope it runs.
"""

from __future__ import annotations

from typing import Literal

from everstep.protocol.ids import operation_id, task_prefix, timer_id


class Node:
    """A context: the root, a child context, or a branch of a map or parallel.

    operation_id: of the CONTEXT operation, None for the root; what its operations name as their parent.
    state: "ended" once its body has returned, "cancelled" once its batch was complete without it.
    """

    __slots__ = ("operation_id", "parent", "state")

    def __init__(self, operation_id: str | None, parent: Node | None) -> None:
        self.operation_id = operation_id
        self.parent = parent
        self.state: Literal["open", "ended", "cancelled"] = "open"

    @property
    def is_cancelled(self) -> bool:
        """Whether this context or one around it was cancelled."""
        node: Node | None = self
        while node is not None:
            if node.state == "cancelled":
                return True
            node = node.parent
        return False


class Scope:
    """A line of execution in a context, with the counters from which ids are made."""

    __slots__ = ("_operations", "_prefix", "_tasks", "_timers", "node")

    def __init__(self, node: Node, prefix: str) -> None:
        self.node = node
        self._prefix = prefix
        self._operations = 0
        self._tasks = 0
        self._timers = 0

    def next_operation_id(self) -> str:
        """The id of the operation that is being called."""
        self._operations += 1
        return operation_id(self._prefix, self._operations)

    def next_timer_id(self) -> str:
        """The id of the timer that asyncio is setting."""
        self._timers += 1
        return timer_id(self._prefix, self._timers)

    def of_new_task(self) -> Scope:
        """The scope of a task that code in this scope is creating."""
        self._tasks += 1
        return Scope(self.node, task_prefix(self._prefix, self._tasks))


def home_scope(operation_id: str | None, parent: Node | None = None) -> Scope:
    """The scope in which a context's own code begins; its ids are the official SDK's."""
    return Scope(Node(operation_id, parent), operation_id or "")
