"""The durable loop: an asyncio event loop with a ready queue and nothing else (ADR 0001).

Rule: everything that handler code runs on it is decided by the order of its ready queue alone, so running the queue until
it is empty is deterministic, and afterwards the handler can go no further until some operation completes. Its clock moves
only with recorded timestamps, its timers are WAIT operations, and it has no sockets, threads or subprocesses: those
belong into steps.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import sys
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context
from typing import Any, NoReturn, Protocol, TypeVar, TypeVarTuple, Unpack, cast

from everstep.errors import UsageError
from everstep.runtime.scope import Scope

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

logger = logging.getLogger("everstep")

_MOST_ENDINGS = 1_000
_TASKS_FILE = asyncio.tasks.__file__


class DurableTask(asyncio.Task[T]):
    """A task of handler code: it knows its scope, and sets of tasks iterate in the order in which they were created.

    asyncio keeps tasks in sets (a TaskGroup being aborted, the results of `wait`); with the default hash their order would
    be that of memory addresses.
    """

    _number: int
    scope: Scope

    def __init__(
        self,
        coroutine: Coroutine[object, object, T],
        *,
        loop: DurableLoop,
        name: str | None,
        context: Context | None,
        scope: Scope,
        number: int,
    ) -> None:
        self._number = number
        self.scope = scope
        super().__init__(coroutine, loop=loop, name=name, context=context)
        self._log_destroy_pending = False  # a parked execution may go at any time, with its handler for instance

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class LoopHost(Protocol):
    """What the loop asks of the engine: make a timer of asyncio's durable, or forget it; and how far the execution is."""

    @property
    def durable_time(self) -> float: ...

    @property
    def is_replaying(self) -> bool: ...

    @property
    def log_fields(self) -> Mapping[str, object]: ...

    def set_timer(self, timer: DurableTimer, delay: float, scope: Scope) -> None: ...

    def cancel_timer(self, timer: DurableTimer) -> None: ...


class _Gone:
    """What is asked instead of an engine that has been dropped: with it, the loop would be a cycle that only the collector frees."""

    is_replaying = False
    log_fields: Mapping[str, object] = {}

    def __init__(self, durable_time: float) -> None:
        self.durable_time = durable_time

    def set_timer(self, timer: DurableTimer, delay: float, scope: Scope) -> None:
        """It never fires."""

    def cancel_timer(self, timer: DurableTimer) -> None:
        """There is none."""


class DurableTimer(asyncio.TimerHandle):
    """A timer of asyncio's (`sleep`, `timeout`, `call_later`) that is a WAIT operation."""

    operation_id: str

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that what calls this runs on: a durable one, if it is handler code, as opposed to a step's body or the host."""
    return events._get_running_loop()


def _refusal(name: str) -> Any:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise UsageError(
            f"handler code called {name}() of the event loop. A handler is replayed, so it may not touch sockets, threads, processes "
            "or signals: put it in a step (`await ctx.step(...)`), whose body runs on the ordinary event loop."
        )

    refuse.__name__ = name
    return refuse


class DurableLoop(asyncio.AbstractEventLoop):
    """The event loop that handler code sees. `run_ready` runs it from the host's loop; nothing else does."""

    def __init__(self, host: LoopHost, root: Scope, seed: int) -> None:
        """root: the scope of the handler. seed: spreads the hashes of tasks of different executions."""
        self.ready: deque[events.Handle] = deque()
        """Callbacks that wait to be run."""
        self.host: LoopHost = host
        self._root = root
        self._seed = seed
        self._closed = False
        self._endings = 0
        self.tasks: list[DurableTask[object]] = []

    # -- running ---------------------------------------------------------------

    def run_ready(self) -> None:
        """Run callbacks, also those that they add, until none is left. Called outside any task of the host's loop."""
        ready = self.ready
        if not ready:
            return
        previous = events._get_running_loop()
        hooks = sys.get_asyncgen_hooks()
        events._set_running_loop(self)
        sys.set_asyncgen_hooks(None, None)  # the host loop's would close the handler's generators on the host
        try:
            while ready:
                handle = ready.popleft()
                if not handle._cancelled:
                    handle._run()
        finally:
            sys.set_asyncgen_hooks(*hooks)
            events._set_running_loop(previous)

    def fire(self, timer: DurableTimer) -> None:
        """Run a timer whose time has come."""
        if not timer.cancelled():
            self.ready.append(timer)

    def drop(self) -> None:
        """Close every coroutine that is still parked. What their `finally` blocks then ask of asyncio or a context ends them."""
        self._closed = True
        self.ready.clear()
        for task in self.tasks:
            if not task.done():
                _close(task)
            elif not task.cancelled():
                task.exception()  # looked at: what matters of it is the handler's outcome
        self.tasks.clear()
        self.ready.clear()
        self.host = _Gone(self.host.durable_time)

    def end_if_closed(self) -> None:
        """End code that goes on while it is being closed, by GeneratorExit. If it swallows that time and again, let it wait for ever."""
        if self._closed and self._endings < _MOST_ENDINGS:
            self._endings += 1
            raise GeneratorExit

    # -- what asyncio calls ----------------------------------------------------

    def call_soon(self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None) -> events.Handle:
        handle = events.Handle(callback, args, self, context)
        self.ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> events.TimerHandle:
        self.end_if_closed()
        timer = DurableTimer(self.time() + delay, callback, args, self, context)
        self.host.set_timer(timer, delay, self.current_scope())
        return timer

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> events.TimerHandle:
        return self.call_later(when - self.time(), callback, *args, context=context)

    def _timer_handle_cancelled(self, handle: events.TimerHandle) -> None:
        self.host.cancel_timer(cast("DurableTimer", handle))

    def time(self) -> float:
        """Durable time in seconds: the latest timestamp that was delivered to the handler."""
        return self.host.durable_time

    def create_future(self) -> asyncio.Future[object]:
        self.end_if_closed()
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]  # eager_start and other later arguments are accepted and have no effect here
        self, coro: Coroutine[object, object, T], *, name: str | None = None, context: Context | None = None, **_: object
    ) -> DurableTask[T]:
        if self._closed:
            coro.close()
            self.end_if_closed()
        _refuse_as_completed(coro)
        return self.new_task(coro, self.current_scope().of_new_task(), name=name, context=context)

    def new_task(
        self, coroutine: Coroutine[object, object, T], scope: Scope, *, name: str | None = None, context: Context | None = None
    ) -> DurableTask[T]:
        """A task that runs in `scope`."""
        number = self._seed + len(self.tasks)
        task = DurableTask(coroutine, loop=self, name=name, context=context, scope=scope, number=number)
        self.tasks.append(cast("DurableTask[object]", task))
        return task

    def current_scope(self) -> Scope:
        """The scope of the running task; of the handler, in a callback outside any task."""
        task = asyncio.current_task(self)
        return task.scope if isinstance(task, DurableTask) else self._root

    def is_running(self) -> bool:
        return events._get_running_loop() is self

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        raise UsageError("handler code can't close the durable loop: it belongs to the execution")

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:
        """No effect: the durable loop has no debug mode."""

    def call_exception_handler(self, context: Mapping[str, object]) -> None:
        error = context.get("exception")
        logger.error(
            "in handler code: %s",
            context.get("message"),
            exc_info=error if isinstance(error, BaseException) else None,
        )

    def default_exception_handler(self, context: Mapping[str, object]) -> None:
        self.call_exception_handler(context)

    async def shutdown_asyncgens(self) -> None:
        """Nothing to do: async generators of handler code end with their coroutines."""

    # -- what belongs into steps -----------------------------------------------

    add_reader = _refusal("add_reader")
    remove_reader = _refusal("remove_reader")
    add_writer = _refusal("add_writer")
    remove_writer = _refusal("remove_writer")
    add_signal_handler = _refusal("add_signal_handler")
    remove_signal_handler = _refusal("remove_signal_handler")
    call_soon_threadsafe = _refusal("call_soon_threadsafe")
    connect_accepted_socket = _refusal("connect_accepted_socket")
    connect_read_pipe = _refusal("connect_read_pipe")
    connect_write_pipe = _refusal("connect_write_pipe")
    create_connection = _refusal("create_connection")
    create_datagram_endpoint = _refusal("create_datagram_endpoint")
    create_server = _refusal("create_server")
    create_unix_connection = _refusal("create_unix_connection")
    create_unix_server = _refusal("create_unix_server")
    getaddrinfo = _refusal("getaddrinfo")
    getnameinfo = _refusal("getnameinfo")
    run_forever = _refusal("run_forever")
    run_in_executor = _refusal("run_in_executor")
    run_until_complete = _refusal("run_until_complete")
    sendfile = _refusal("sendfile")
    set_default_executor = _refusal("set_default_executor")
    shutdown_default_executor = _refusal("shutdown_default_executor")
    sock_accept = _refusal("sock_accept")
    sock_connect = _refusal("sock_connect")
    sock_recv = _refusal("sock_recv")
    sock_recv_into = _refusal("sock_recv_into")
    sock_recvfrom = _refusal("sock_recvfrom")
    sock_recvfrom_into = _refusal("sock_recvfrom_into")
    sock_sendall = _refusal("sock_sendall")
    sock_sendfile = _refusal("sock_sendfile")
    sock_sendto = _refusal("sock_sendto")
    start_tls = _refusal("start_tls")
    stop = _refusal("stop")
    subprocess_exec = _refusal("subprocess_exec")
    subprocess_shell = _refusal("subprocess_shell")
    set_task_factory = _refusal("set_task_factory")
    get_task_factory = _refusal("get_task_factory")
    set_exception_handler = _refusal("set_exception_handler")
    get_exception_handler = _refusal("get_exception_handler")


def _close(task: DurableTask[object]) -> None:
    try:
        task.get_coro().close()
    except RuntimeError as error:
        logger.warning("a coroutine did not let itself be closed when its execution left this process: %s", error)
    except Exception:
        logger.warning("a `finally` block failed when its execution left this process", exc_info=True)


def _refuse_as_completed(coroutine: object) -> None:
    """asyncio.as_completed makes its tasks from a *set* of coroutines: in the order of memory addresses."""
    frame = inspect.currentframe()
    for _ in range(6):
        if frame is None:
            return
        code = frame.f_code
        if code.co_filename == _TASKS_FILE and "ascompleted" in code.co_qualname.replace("_", "").lower():
            if hasattr(coroutine, "close"):
                coroutine.close()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
            raise UsageError(
                "asyncio.as_completed makes its tasks in an order that differs from replay to replay. "
                "Use everstep.as_completed, which keeps the order you give, or create the tasks first with asyncio.create_task."
            )
        frame = frame.f_back
