"""Where in the program code stands: contexts, and the scopes in which operations take their numbers.

Rule: a context is a node of the operation tree; a scope is one line of execution inside it. Each task has a scope of its
own, so ids never depend on which sibling ran first. Code may use only the context in whose scope it runs.
"""

from __future__ import annotations

from typing import Literal

from everstep.protocol.ids import keyed_id, operation_id, task_prefix, timer_id


class Node:
    """A context: the root, a child context, or a branch of a map or parallel.

    prefix: of the ids inside: the context's own operation id, "" for the root.
    parent_id: what its operations name as their parent; a virtual context, which is not recorded, names the one around it.
    state: "ended" once its body has returned, "cancelled" once its batch was complete without it.
    """

    __slots__ = ("keys", "outer", "parent_id", "prefix", "state")

    def __init__(self, prefix: str, parent_id: str | None, outer: Node | None) -> None:
        self.prefix = prefix
        self.parent_id = parent_id
        self.outer = outer
        self.state: Literal["open", "ended", "cancelled"] = "open"
        self.keys: set[str] = set()

    @property
    def is_cancelled(self) -> bool:
        """Whether this context or one around it was cancelled."""
        node: Node | None = self
        while node is not None:
            if node.state == "cancelled":
                return True
            node = node.outer
        return False


class Scope:
    """A line of execution in a context, with the counters from which ids are made.

    prefix: of its ids; the context's own for the code that it begins with.
    """

    __slots__ = ("_operations", "_tasks", "_timers", "draws", "node", "prefix")

    def __init__(self, node: Node, prefix: str) -> None:
        self.node = node
        self.prefix = prefix
        self.draws = 0
        """How often the code has drawn something random."""
        self._operations = 0
        self._tasks = 0
        self._timers = 0

    def next_operation_id(self, key: str | None = None) -> str:
        """The id of the operation that is being called. key: given instead of a place, unique in the context."""
        if key is not None:
            return keyed_id(self.node.prefix, key)
        self._operations += 1
        return operation_id(self.prefix, self._operations)

    def next_timer_id(self) -> str:
        """The id of the timer that asyncio is setting."""
        self._timers += 1
        return timer_id(self.prefix, self._timers)

    def of_new_task(self) -> Scope:
        """The scope of a task that code in this scope is creating."""
        self._tasks += 1
        return Scope(self.node, task_prefix(self.prefix, self._tasks))

    def of_member(self, combinator_id: str, index: int) -> Scope:
        """The scope of a combinator's member."""
        return Scope(self.node, task_prefix(combinator_id, index))


def root_scope() -> Scope:
    """The scope in which the handler begins; its ids are the official SDK's."""
    return Scope(Node("", None, None), "")


def home_scope(context_id: str, outer: Node, *, is_virtual: bool = False) -> Scope:
    """The scope in which the code of a context inside `outer` begins; its ids are the official SDK's."""
    return Scope(Node(context_id, outer.parent_id if is_virtual else context_id, outer), context_id)
