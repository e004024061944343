"""The documentation names everything that is public, and nothing that is not there."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

import everstep
import everstep.testing
from everstep import Completion, DurableContext, Poll, Retry, SyncContext, durable, plugins
from everstep.cli.app import application
from everstep.errors import DurableError
from everstep.service.embedded import Service
from everstep.testing import AsyncRunner, CloudRunner, RecordedExecution, Runner
from tests.docs.snippets import PAGES, ROOT

TEXTS: Final = {page: page.read_text() for page in PAGES}
CODE: Final = {page: "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL)) for page, text in TEXTS.items()}
ALL_CODE: Final = "\n".join(CODE.values())
SHOWN: Final = "\n".join(line for text in TEXTS.values() for line in text.splitlines() if line.startswith(("|", "#")))
"""Rows of tables, and headings."""
MIGRATING: Final = ROOT / "docs" / "migrating.md"


def _names(listed: str) -> list[str]:
    return listed.split()


# fmt: off
OFFICIAL: Final = _names("""
    BatchCompletionError BatchItemStatus BatchResult CallbackError CallbackExternalError CallbackSubmitterError CallbackTimeoutError
    ChildContextError CompletionDecision CompletionItemStatus CompletionOutcome CompletionStatus DurableContext DurableExecutionsError
    DurableOperationError ExecutionError InvocationError InvokeError ParallelBranch PluginLoadError RetryableSerDesError SerDesError
    StepContext StepError ValidationError WaitForConditionError WithRetryConfig __version__ complete_batch continue_batch
    durable_execution durable_parallel_branch durable_step durable_wait_for_callback durable_with_child_context with_retry
""")
"""What aws_durable_execution_sdk_python 3.0.0 exports."""
OFFICIAL_ELSEWHERE: Final = _names("""
    boto3_client plugins Duration StepConfig retry_strategy step_semantics serdes sub_type StepSemantics CallbackConfig timeout
    heartbeat_timeout WaitForCallbackConfig InvokeConfig serdes_payload serdes_result tenant_id ChildConfig summary_generator is_virtual
    MapConfig ParallelConfig max_concurrency completion_config item_serdes nesting_type item_namer CompletionConfig min_successful
    tolerated_failure_count tolerated_failure_percentage should_complete first_successful all_completed all_successful NestingType
    RetryDecision RetryStrategyConfig retryable_errors retryable_error_types create_retry_strategy LinearRetryStrategyConfig
    create_linear_retry_strategy RetryPresets JitterStrategy WaitStrategyConfig should_continue_polling create_wait_strategy
    WaitForConditionDecision WaitForConditionConfig wait_strategy initial_state SerDes JsonSerDes PassThroughSerDes ExtendedTypeSerDes
    FileSystemSerDes build_preview StepInterruptedError NonDeterministicExecutionError execution_context lambda_context logger
    is_replaying set_logger step wait create_callback wait_for_callback wait_for_condition invoke run_in_child_context map parallel
    to_dict from_dict from_items
""")
"""The options, methods and other modules' names of it that users meet."""
FORK: Final = _names("""
    build_preview create_callback create_cloud_runner create_default_sync_client create_file_system_serdes_stage create_local_runner
    create_serdes_pipeline durable_callable durable_dag durable_execution durable_node flow get_current_context get_durable_context
    get_extension_context get_map_item_context get_node_context get_serdes_context get_step_context get_wait_for_callback_context
    get_wait_for_condition_check_context get_with_retry_context invoke is_composable_serdes map now node parallel random recurse
    run_in_child_context step terminal_scope timestamp uuid wait wait_for_callback wait_for_condition with_retry BatchItem
    BatchItemStatus BatchResult Callback CallbackError CallableRuntimeError ComposableSerDes CompletionConfig CompletionDecision
    CompletionReason CompletionStatus CrossExecutionReferencePolicy DurableContext DurableExecutionsError DurableFunctionCloudTestRunner
    DurableFunctionLocalTestRunner DurableFunctionTestResult DurableServiceClient DurableTerminalActions ErrorObject ExecutionError
    ExtensionContext ExtensionOperation ExtensionStepFunction ExtensionStepResult ExtensionStepRetryStrategy ExtendedTypeSerDes
    FieldMatchMode FileSystemPathEncoding FileSystemSerDesMode FileSystemSerDesStage FileSystemSerDesStageConfig FlowDefinitionError
    FlowExecutionError FlowNode FlowNodeContext FlowNodeResult FlowNodeStatus FlowResult InvalidStateError InvocationError
    InvocationStatus JsonSerDes JitterStrategy LambdaContext MapItemContext NestingType OperationStatus OperationSubType OperationType
    PollingStrategy PreviewConfig PreviewField PreviewGenerator PreviewMode RetryStrategy RetryableSerDesError SerDes SerDesContext
    SerDesError SerDesPipelineError SerDesStage StepContext StepInterruptedError StepSemantics SummaryGenerator TerminalFailure
    TerminalFailurePhase TerminalScopeConfig TerminalScopeError UserlandError ValidationError WaitForCallbackContext
    WaitForConditionCheckContext WaitForConditionError WithRetryContext __version__
""")
"""What async_durable_execution 2.5.0 exports."""
# fmt: on


def is_said(name: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


NOT_FOR_USERS: Final = {"serdes_of", "engine"}
"""Of a context, for the façade of plain functions; of a service, for those who serve it in another form."""


def public(kind: type) -> set[str]:
    return {name for name in vars(kind) if not name.startswith("_")} - NOT_FOR_USERS


@pytest.mark.parametrize("name", everstep.__all__)
def test_every_public_name_is_documented(name: str) -> None:
    assert is_said(name, ALL_CODE)


@pytest.mark.parametrize("name", everstep.testing.__all__)
def test_every_name_of_the_test_kit_is_on_its_page(name: str) -> None:
    assert is_said(name, CODE[ROOT / "docs" / "testing.md"])


@pytest.mark.parametrize("name", sorted(public(DurableContext)))
def test_every_method_of_a_context_has_a_row_or_a_section(name: str) -> None:
    assert is_said(name, SHOWN)


def options(function: Callable[..., object]) -> Iterator[str]:
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY:
            yield parameter.name


KIT: Final[list[object]] = [
    Runner,
    Runner.run,
    Runner.start,
    Runner.register,
    Runner.on_callback,
    Runner.explore_crashes,
    vars(RecordedExecution)["find"],
    AsyncRunner.run,
    CloudRunner,
    CloudRunner.run,
    CloudRunner.on_callback,
]
COMMANDS: Final = {
    command.name or getattr(command.callback, "__name__", ""): command.callback for command in application().registered_commands
}
METHODS: Final[list[object]] = [getattr(DurableContext, name) for name in sorted(public(DurableContext))]


@pytest.mark.parametrize(
    "function",
    [durable, Retry, Poll, Completion, Service, Service.register, *METHODS, *KIT],
    ids=lambda function: getattr(function, "__name__", "property"),
)
def test_every_option_is_documented(function: object) -> None:
    left_to_docstrings = {"account", "region", "rules", "clock", "meter"}  # of a Service, for tests and operators
    names = set(options(function)) - left_to_docstrings if callable(function) else set[str]()

    assert [name for name in sorted(names) if not is_said(name, ALL_CODE)] == []


@pytest.mark.parametrize("name", sorted(public(Service)))
def test_every_method_of_a_service_is_in_the_page_on_running(name: str) -> None:
    assert is_said(name, CODE[ROOT / "docs" / "running.md"])


def test_the_names_that_the_pages_give_to_everstep_are_there() -> None:
    named = set(re.findall(r"(?<![\w./`])everstep\.(\w+)", ALL_CODE)) - {"handler"}  # a logger's name

    packages = {"errors", "otel", "plugins", "server", "service", "stages", "testing"}
    assert {name for name in named if not hasattr(everstep, name)} - packages == set()


def test_the_methods_that_the_pages_call_on_a_context_are_there() -> None:
    called = set(re.findall(r"\b(?:ctx|child)\.(\w+)", ALL_CODE))

    assert called - public(DurableContext) == set()


def test_errors_on_their_page_are_there() -> None:
    page = CODE[ROOT / "docs" / "errors.md"]
    kinds: dict[str, object] = {name: getattr(everstep, name) for name in everstep.__all__}
    here = {name for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, DurableError)}

    assert {name for name in here if not is_said(name, page)} == set()


def test_presets_of_retries_are_what_their_table_says() -> None:
    rows = re.findall(r"^\| `(Retry[^`]*)`[^|]*\| (\d+) \|[^|]*\| (\w*)", TEXTS[ROOT / "docs" / "handlers.md"], re.MULTILINE)

    assert len(rows) == 7
    for expression, attempts, jitter in rows:
        preset: Retry = eval(expression, {"Retry": Retry})
        assert (preset.max_attempts, preset.jitter) == (int(attempts), jitter or preset.jitter)


@pytest.mark.parametrize("name", plugins.__all__)
def test_every_hook_and_whatever_it_is_told_is_in_the_page_on_telemetry(name: str) -> None:
    page = CODE[ROOT / "docs" / "telemetry.md"]
    kind: object = getattr(plugins, name)
    fields: tuple[str, ...] = getattr(kind, "__struct_fields__", ())

    if isinstance(kind, type):
        assert [said for said in (name, *fields, *public(kind)) if not is_said(said, page)] == []


# -- coming from elsewhere ------------------------------------------------------


@pytest.mark.parametrize(("names", "heading"), [(OFFICIAL + OFFICIAL_ELSEWHERE, "## The official"), (FORK, "## async-durable")])
def test_every_name_of_another_sdk_has_its_row(names: list[str], heading: str) -> None:
    section = TEXTS[MIGRATING].split(heading)[1].split("\n## ")[0]
    rows = "\n".join(line for line in section.splitlines() if line.startswith("| "))

    assert [name for name in names if not is_said(name, rows)] == []


def test_what_a_plain_handlers_context_lacks_is_said() -> None:
    both = public(DurableContext) & public(SyncContext)
    said = TEXTS[MIGRATING].split("Missing:")[1].split(".")[0] if "Missing:" in TEXTS[MIGRATING] else ""

    assert set(re.findall(r"`(\w+)`", said)) == public(DurableContext) - public(SyncContext)
    assert {name: less for name in both if (less := set(options_of(DurableContext, name)) - set(options_of(SyncContext, name)))} == {
        "create_callback": {"serdes"},
        "wait_for_callback": {"serdes"},
        "invoke": {"serdes"},
        "map": {"serdes"},
        "parallel": {"serdes"},
        "run_in_child_context": {"sub_type"},
    }


def options_of(context: type, name: str) -> list[str]:
    method = vars(context)[name]
    return list(options(method)) if callable(method) else []


# -- links ----------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """As GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", TEXTS.get(page) or page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", TEXTS[page]):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(there), f"{page.name}: {target}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name: str) -> None:
    assert f"everstep {name}" in ALL_CODE


@pytest.mark.parametrize("name", ["verify", "export", "estimate"])
def test_every_option_of_the_commands_about_histories_is_on_their_page(name: str) -> None:
    page = CODE[ROOT / "docs" / "verify.md"]
    function = COMMANDS[name]
    assert function is not None
    given = [option for option in inspect.signature(function).parameters if option not in ("context", "handler", "histories")]

    missing = [option for option in given if f"--{option.replace('_', '-')}" not in page and option != "function"]
    assert missing == []
