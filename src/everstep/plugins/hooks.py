"""Which plugins are told what, and how they are called.

Rule: a plugin that raises is logged once per hook, and changes nothing else. Only hooks that a plugin overrides are called,
so what nobody listens to costs nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from inspect import iscoroutinefunction
from typing import Final, Generic, TypeVar

from everstep.errors import UsageError
from everstep.plugins.api import (
    AttemptEndInfo,
    AttemptStartInfo,
    CheckpointInfo,
    InvocationEndInfo,
    InvocationStartInfo,
    OperationChangeInfo,
    OperationInfo,
    Plugin,
    PropagationInput,
    PropagationMetadata,
    UserFunctionEndInfo,
    UserFunctionStartInfo,
)

T = TypeVar("T")

HOOKS: Final = tuple(name for name in vars(Plugin) if not name.startswith("_"))
_logger: Final = logging.getLogger("everstep.plugins")


class Hook(Generic[T]):
    """One hook of several plugins: of those that override it. False if none does."""

    __slots__ = ("_calls", "_logged", "_name")

    def __init__(self, name: str, plugins: Sequence[Plugin]) -> None:
        self._name = name
        calls: list[Callable[[T], object]] = [getattr(plugin, name) for plugin in plugins]
        self._calls = tuple(call for call in calls if getattr(call, "__func__", call) is not getattr(Plugin, name))
        self._logged: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._calls)

    def tell(self, info: T) -> None:
        """Call each; what one raises is logged, and the others are called all the same."""
        for place, call in enumerate(self._calls):
            try:
                call(info)
            except Exception:
                self._failed(place, call)

    def ask(self, info: T) -> PropagationMetadata | None:
        """The first answer."""
        for place, call in enumerate(self._calls):
            try:
                answer = call(info)
            except Exception:
                self._failed(place, call)
            else:
                if isinstance(answer, PropagationMetadata):
                    return answer
        return None

    def _failed(self, place: int, call: Callable[[T], object]) -> None:
        if place not in self._logged:
            self._logged.add(place)
            where = f"{type(getattr(call, '__self__', call)).__name__}.{self._name}"
            _logger.exception("%s raised: the execution goes on without it. Further errors of this hook are not logged", where)


class Hooks:
    """The hooks of several plugins, in the order given."""

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        """Raises UsageError if one is not a plugin, or has a hook that can't be called."""
        all_ = checked(plugins)
        self.invocation_start: Hook[InvocationStartInfo] = Hook("on_invocation_start", all_)
        self.invocation_end: Hook[InvocationEndInfo] = Hook("on_invocation_end", all_)
        self.operation_start: Hook[OperationInfo] = Hook("on_operation_start", all_)
        self.operation_change: Hook[OperationChangeInfo] = Hook("on_operation_change", all_)
        self.operation_end: Hook[OperationInfo] = Hook("on_operation_end", all_)
        self.attempt_start: Hook[AttemptStartInfo] = Hook("on_attempt_start", all_)
        self.attempt_end: Hook[AttemptEndInfo] = Hook("on_attempt_end", all_)
        self.user_function_start: Hook[UserFunctionStartInfo] = Hook("on_user_function_start", all_)
        self.user_function_end: Hook[UserFunctionEndInfo] = Hook("on_user_function_end", all_)
        self.checkpoint: Hook[CheckpointInfo] = Hook("on_checkpoint", all_)
        self.propagation: Hook[PropagationInput] = Hook("provide_propagation_metadata", all_)


def checked(plugins: Iterable[object]) -> tuple[Plugin, ...]:
    """The plugins, each once. Raises UsageError if one is not a plugin, or has a hook that can't be called."""
    found: dict[int, Plugin] = {}
    for plugin in plugins:
        if not isinstance(plugin, Plugin):
            advice = f"give an instance of it: {plugin.__name__}()" if isinstance(plugin, type) else "subclass everstep.Plugin"
            raise UsageError(f"{plugin!r} is not a plugin: {advice}")
        for name in HOOKS:
            if iscoroutinefunction(getattr(plugin, name)):
                raise UsageError(f"{type(plugin).__name__}.{name} is `async def`: hooks are plain methods, which must not wait")
        found[id(plugin)] = plugin
    return tuple(found.values())
