"""Plain functions on the engine: each runs in a greenlet, which hands what it waits for to the task that it runs in.

Rule: a greenlet and its task are one line of execution; no thread is involved, and nothing else about the engine changes. What a
function waits for runs in its greenlet, and only a future that is not done goes to the task: what is recorded costs no switch. A
greenlet whose function has returned is kept for the next one: a new one costs a stack of its own, from the operating system.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from importlib.util import find_spec
from threading import local
from types import coroutine
from typing import TYPE_CHECKING, TypeVar, cast

from everstep.errors import UsageError

if TYPE_CHECKING:
    import greenlet as greenlets

T = TypeVar("T")


def load_greenlet() -> None:
    """Raises UsageError if handlers of plain functions can't run here."""
    if find_spec("greenlet") is None:
        raise UsageError("a handler that is a plain `def` needs greenlet: pip install 'everstep[sync]', or write it `async def`")


class _Idle(local):
    """The greenlets of this thread that wait for a function."""

    def __init__(self) -> None:
        self.lines: list[greenlets.greenlet] = []


class _Ended:
    """What a function came to."""

    __slots__ = ("error", "value")

    def __init__(self, value: object, error: BaseException | None) -> None:
        self.value = value
        self.error = error


_MOST_IDLE = 256  # of 7 KiB each
_idle = _Idle()


@coroutine
def in_greenlet(function: Callable[..., T], *args: object) -> Generator[object, object, T]:
    """What the function returns, once it is awaited; what it waits for by `wait_here` is awaited by the running task."""
    import greenlet

    here = greenlet.getcurrent()
    lines = _idle.lines
    line = lines.pop() if lines else greenlet.greenlet(_run_one_after_another)
    line.parent = here
    line.gr_context = here.gr_context  # the task's own: variables that either sets, both see
    answer: object = line.switch(function, args)
    while not isinstance(answer, _Ended):
        try:
            yield answer
        except BaseException as error:
            answer = line.throw(error)
        else:
            answer = line.switch()
    line.gr_context = None
    if len(lines) < _MOST_IDLE:
        lines.append(line)
    try:
        if answer.error is not None:
            raise answer.error
        return cast("T", answer.value)
    finally:
        del answer  # or an error would hold itself, by way of this frame


def _run_one_after_another(function: Callable[..., object], args: tuple[object, ...]) -> None:
    import greenlet

    line = greenlet.getcurrent()
    while True:
        try:
            ended = _Ended(function(*args), None)
        except greenlet.GreenletExit:  # nobody waits for it any more
            raise
        except BaseException as error:
            ended = _Ended(None, error)
        del function, args  # an idle greenlet must keep nothing alive
        task_side = line.parent
        assert task_side is not None
        function, args = task_side.switch(ended)
        del ended


def wait_here(operation: Coroutine[object, object, T]) -> T:
    """What the operation comes to, for a function that runs by `in_greenlet`. Raises what it raises; UsageError elsewhere."""
    import greenlet

    task_side = greenlet.getcurrent().parent
    if task_side is None:
        operation.close()
        raise UsageError(
            "an operation was called outside the handler's own code: in a step's body or another thread. Steps can't hold "
            "operations: call them from the handler, or make the step a child context."
        )
    try:
        pending = operation.send(None)
        while True:
            try:
                task_side.switch(pending)
            except BaseException as error:
                pending = operation.throw(error)
            else:
                pending = operation.send(None)
    except StopIteration as end:
        return cast("T", end.value)
