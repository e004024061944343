"""Every Python block of the documentation runs. How a block is marked: see snippets.py."""

from __future__ import annotations

import ast
import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, cast

import pytest

import everstep
from everstep import DurableHandler, ExecutionFailed
from tests.docs import imagined
from tests.docs.snippets import PAGES, Snippet, as_function, snippets_of
from tests.docs.world import VirtualService, run_execution, run_over_a_deploy, run_program

SNIPPETS = [snippet for page in PAGES for snippet in snippets_of(page)]
DEFINING = ("definitions", "run", "program")
DEPLOYS_S = (0.5, 3600, 2 * 86_400, 4 * 86_400)
"""When the code changes under an execution: at its beginning, in its waits, towards its end."""


def runs(*kinds: str) -> pytest.MarkDecorator:
    chosen = [snippet for snippet in SNIPPETS if snippet.kind in kinds]
    return pytest.mark.parametrize("snippet", chosen, ids=[snippet.where for snippet in chosen])


@pytest.fixture
def page(request: pytest.FixtureRequest, snippet: Snippet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The module that the snippet's page is, with everything that stands above the snippet."""
    name = f"page_{snippet.page.stem.replace('-', '_').lower()}"
    module = ModuleType(name)
    vars(module).update({key: value for key, value in vars(imagined).items() if not key.startswith("__")})
    monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(everstep, "Service", VirtualService)
    monkeypatch.chdir(tmp_path)
    request.addfinalizer(partial(logging.setLogRecordFactory, logging.getLogRecordFactory()))  # noqa: PT021  # what monkeypatch cannot undo
    monkeypatch.setattr(asyncio, "run", dont_run)
    for above in SNIPPETS:
        if above.page == snippet.page and above.line < snippet.line and above.kind in DEFINING:
            execute(compile(above.placed_code, str(above.page), "exec"), module)
    monkeypatch.setattr(asyncio, "run", run_program)
    return module


def dont_run(main: Coroutine[object, object, object]) -> None:
    """Programs above define; they don't run again."""
    main.close()


def execute(code: CodeType, module: ModuleType) -> None:
    exec(code, vars(module))


def function_of(snippet: Snippet, page: ModuleType, header: str, annotations: Mapping[str, object]) -> Callable[..., Any]:
    """The function that has the snippet as its body."""
    tree = as_function(snippet, header)
    execute(compile(ast.fix_missing_locations(tree), str(snippet.page), "exec"), page)
    function: Callable[..., Any] = vars(page)[cast("ast.FunctionDef", tree.body[0]).name]
    function.__annotations__.update(annotations)
    return function


def handler_of(snippet: Snippet, page: ModuleType) -> DurableHandler[object, object]:
    return DurableHandler(function_of(snippet, page, "async def handler(event, ctx)", {"event": imagined.Order}))


@runs("definitions", "program")
def test_definitions_and_programs(snippet: Snippet, page: ModuleType) -> None:
    execute(compile(snippet.placed_code, str(snippet.page), "exec"), page)


@runs("run")
def test_handlers_that_are_defined(snippet: Snippet, page: ModuleType) -> None:
    execute(compile(snippet.placed_code, str(snippet.page), "exec"), page)
    call = ast.parse(snippet.argument, mode="eval").body
    assert isinstance(call, ast.Call)
    handler, event = (eval(ast.unparse(part), vars(page)) for part in (call.func, *call.args))

    run_program(run_execution(handler, event, imagined.FUNCTIONS))


@runs("handler")
def test_handler_code(snippet: Snippet, page: ModuleType) -> None:
    run_program(run_execution(handler_of(snippet, page), imagined.EVENT, imagined.FUNCTIONS))


@runs("raises")
def test_handler_code_that_fails(snippet: Snippet, page: ModuleType) -> None:
    with pytest.raises(ExecutionFailed) as failed:
        run_program(run_execution(handler_of(snippet, page), imagined.EVENT, imagined.FUNCTIONS))

    assert (failed.value.error_type or "").endswith(snippet.argument)


@runs("service")
def test_code_around_a_service(snippet: Snippet, page: ModuleType) -> None:
    around = function_of(snippet, page, "async def around(service, order, execution)", {})

    async def main() -> None:
        async with VirtualService("memory://") as service:
            service.register(imagined.order)
            await around(service, imagined.order, await service.start(imagined.order, imagined.EVENT))

    run_program(main())


@runs("before")
def test_code_before_a_change(snippet: Snippet, page: ModuleType) -> None:
    run_program(run_execution(handler_of(snippet, page), imagined.EVENT, imagined.FUNCTIONS))


def before(snippet: Snippet) -> Snippet:
    """What stands before the change that the snippet is."""
    return max(
        (other for other in SNIPPETS if other.page == snippet.page and other.kind == "before" and other.line < snippet.line),
        key=lambda other: other.line,
    )


@pytest.mark.parametrize("deploy_after_s", DEPLOYS_S)
@runs("after")
def test_executions_go_on_with_changed_code(snippet: Snippet, page: ModuleType, deploy_after_s: float) -> None:
    old, new = handler_of(before(snippet), page), handler_of(snippet, page)

    run_program(run_over_a_deploy(old, new, imagined.EVENT, deploy_after_s))


@runs("refused")
def test_code_that_asks_for_something_else_is_refused(snippet: Snippet, page: ModuleType) -> None:
    old, new = handler_of(before(snippet), page), handler_of(snippet, page)

    with pytest.raises(ExecutionFailed) as failed:
        run_program(run_over_a_deploy(old, new, imagined.EVENT, 3600))

    assert failed.value.error_type == "everstep.errors.ReplayMismatch"


@runs("theirs")
def test_other_peoples_code_is_python(snippet: Snippet) -> None:
    compile(snippet.placed_code, str(snippet.page), "exec")
