"""EVS009: threads and other loops."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from everstep.lint.forbidden import is_listed
from everstep.lint.origins import origin
from everstep.lint.program import Program
from everstep.lint.rule import Report, Rule, reached

_THREADS: Final = frozenset(
    {
        *("asyncio.to_thread", "anyio.to_thread.run_sync", "asgiref.sync.sync_to_async", "starlette.concurrency.run_in_threadpool"),
        *("threading.Thread", "threading.Timer", "_thread.start_new_thread"),
        *("concurrent.futures.ProcessPoolExecutor", "concurrent.futures.ThreadPoolExecutor", "concurrent.futures.InterpreterPoolExecutor"),
        *("concurrent.futures.thread.ThreadPoolExecutor", "concurrent.futures.process.ProcessPoolExecutor"),
        *("multiprocessing.Pool", "multiprocessing.Process", "multiprocessing.pool.ThreadPool", "joblib.Parallel"),
    }
)
_LOOPS: Final = frozenset({"asyncio.get_event_loop", "asyncio.get_running_loop", "asyncio.new_event_loop"})
_OTHER_LOOPS: Final = frozenset({"asyncio.Runner", "asyncio.run", "asyncio.new_event_loop"})


def check(program: Program) -> Iterator[Report]:
    for call, _, handling in program.calls():
        name = program.module.qualified(call.func)
        if name is not None and is_listed(name, _THREADS):
            what = f"{name}()"
        elif (
            isinstance(call.func, ast.Attribute)
            and call.func.attr == "run_in_executor"
            and origin(program.module, call.func.value, ()) in _LOOPS
        ):
            what = "run_in_executor()"
        elif name in _OTHER_LOOPS and handling.kind.dialect.has_substitutes:
            yield Report(
                call,
                f"handler code starts an event loop with {name}(); it runs on one already: await what it is given{reached(handling)}",
            )
            continue
        else:
            continue
        yield Report(
            call,
            f"handler code starts a thread with {what}; threads get on in another order on every replay, and what they do is not "
            f"recorded: do it in a step (a plain function there runs in a thread anyway), several at once in `map` or "
            f"`parallel`{reached(handling)}",
        )


RULE: Final = Rule("EVS009", "threads", "handler code starts threads or another event loop", check)
