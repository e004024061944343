"""`@durable`: a handler as a function that any of the three homes can run.

Rule: one handler object holds no state but its parked executions. On AWS Lambda it is the function's entry point
`(event, context)`; embedded and self-hosted services call `invoke`. Both run the same engine.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, cast, overload

from everstep.configuration import SerdesFactory, chosen_plugins, process
from everstep.errors import DurableError, ServiceError, UsageError
from everstep.failures import describe
from everstep.protocol.ids import execution_id
from everstep.protocol.limits import MAX_RESULT_SYNC
from everstep.protocol.shapes import InvocationOutput, Operation, OperationUpdate
from everstep.runtime.arrival import Arrival, MappingState, by_runtime, news_for
from everstep.serdes import Serdes, parameter_annotation, result_serdes, serdes_for

if TYPE_CHECKING:
    from everstep.client.api import DurableClient
    from everstep.client.event_state import EventState
    from everstep.client.function import Invocation
    from everstep.context import DurableContext
    from everstep.plugins.api import Plugin
    from everstep.plugins.hooks import Hooks
    from everstep.replay.journal import Journal
    from everstep.runtime.engine import Durability, Engine
    from everstep.runtime.reporter import Reporter
    from everstep.runtime.texts import Texts
    from everstep.stages import Stage
    from everstep.synchronous import SyncContext

I = TypeVar("I")  # noqa: E741  # input
O = TypeVar("O")  # noqa: E741  # output
E = TypeVar("E", bound="Engine")

_LARGEST_RESULT = MAX_RESULT_SYNC - 50
DEFAULT_WARM_EXECUTIONS = 256


class DurableHandler(Generic[I, O]):
    """A handler that survives crashes. Made by `@durable`; run by AWS Lambda, by `everstep.Service`, or by a test."""

    def __init__(
        self,
        function: Callable[[I, DurableContext], Coroutine[object, object, O]] | Callable[[I, SyncContext], O],
        *,
        name: str | None = None,
        client: object | None = None,
        warm_executions: int = DEFAULT_WARM_EXECUTIONS,
        durability: Durability = "acknowledged",
        serdes: SerdesFactory | None = None,
        stages: Sequence[Stage] | None = None,
        plugins: Sequence[Plugin] = (),
    ) -> None:
        self._is_sync = _check_handler(function)
        if warm_executions < 0:
            raise UsageError(f"warm_executions is {warm_executions}; the least is 0, which switches warm resume off")
        self.function = function
        self.name = name or function.__name__
        if durability not in ("acknowledged", "eager", "pipelined"):
            raise UsageError(f'durability is {durability!r}; it must be "acknowledged", "eager" or "pipelined"')
        self.warm_executions = warm_executions
        self._durability: Durability = durability
        self.__name__ = function.__name__
        self.__qualname__ = function.__qualname__
        self.__module__ = function.__module__
        self.__doc__ = function.__doc__
        self._client: DurableClient | None = None if client is None else _client_from(client)
        self._serdes = serdes
        self._stages = stages
        self._plugins = chosen_plugins(plugins)
        self._hooks: Hooks | None = None
        self._event_annotation = parameter_annotation(function, 0)
        self._input: Serdes[I] | None = None
        self._output: Serdes[O] | None = None
        self._parked: OrderedDict[str, Engine] = OrderedDict()
        self.clock: Callable[[], float] = time.time
        """Seconds since the epoch. A test that moves the service's clock moves this one with it."""

    def __repr__(self) -> str:
        return f"<durable handler {self.__module__}.{self.__qualname__}>"

    # -- AWS Lambda ------------------------------------------------------------

    def __call__(self, event: object, context: object) -> dict[str, object]:
        """The entry point on AWS Lambda: one invocation, with the service as the environment names it.

        Raises UsageError if the event is not a durable invocation, and what made the invocation fail if trying again may help.
        """
        import asyncio

        from everstep.client.event import write_output
        from everstep.client.event_state import EventState
        from everstep.runtime.host import run_here

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise UsageError("a Lambda handler was called inside a running event loop: await `handler.invoke(...)` there instead")
        state, client = EventState(event), self._lambda_client()
        run = self._run(by_runtime(state.arn, state.checkpoint_token, state, context, is_alone=True), client)
        return write_output(run_here(run))

    async def run_event(self, state: EventState, client: DurableClient, lambda_context: object = None) -> InvocationOutput:
        """One invocation, from the event that Lambda brings, on a loop that others share.

        Raises what made it fail, if trying again may help.
        """
        return await self._run(by_runtime(state.arn, state.checkpoint_token, state, lambda_context, is_alone=False), client)

    # -- services --------------------------------------------------------------

    def encode_input(self, value: I) -> str:
        """The input as the JSON text that an execution is started with. Raises SerializationError."""
        return self._input_serdes().serialize(value)

    def decode_output(self, text: str | None) -> O:
        """The result of an execution, from its JSON text."""
        if text is None:
            return cast("O", None)
        return self._output_serdes().deserialize(text)

    def texts(self, arn: str) -> Texts:
        """What reads the recorded texts of one of its executions, through its stages."""
        from everstep.runtime.texts import Texts, nothing_to_end

        return Texts(arn, process.stages if self._stages is None else self._stages, nothing_to_end)

    async def invoke(self, invocation: Invocation, client: DurableClient) -> InvocationOutput:
        """One invocation by a service in this process. Raises what made it fail, if trying again may help."""
        state = MappingState(invocation.operations, invocation.updated_operation_ids)
        request_id, trace_header = invocation.request_id, invocation.trace_header
        return await self._run(Arrival(invocation.arn, invocation.checkpoint_token, state, request_id, trace_header), client)

    def apart(self, clock: Callable[[], float]) -> DurableHandler[I, O]:
        """The same handler with parked executions and a clock of its own, as in another process. For tests."""
        twin = cast("DurableHandler[I, O]", object.__new__(DurableHandler))
        twin.__dict__.update(self.__dict__, _parked=OrderedDict(), clock=clock)
        return twin

    def drop_parked(self) -> None:
        """Forget all parked executions: each is replayed when it is invoked again."""
        while self._parked:
            self._parked.popitem()[1].drop()

    # -- one invocation --------------------------------------------------------

    async def _run(self, arrival: Arrival, client: DurableClient) -> InvocationOutput:
        engine = self._parked.pop(arrival.arn, None)
        news: Sequence[Operation] | None = None
        if engine is not None:
            news = news_for(engine, arrival.state)
            if news is None:
                engine.drop()
                engine = None
            else:
                engine.journal.take(news)
        if engine is None:
            try:
                engine = await self._begin(arrival, client)
            except UsageError as error:
                return InvocationOutput(status="FAILED", error=describe(error))
            except ServiceError as error:
                return _failed_or_raise(error)
        reporter = engine.reporter
        if reporter is None:
            return await self._invoked(engine, arrival, client, news)
        reporter.invocation_started(arrival, engine.open, news)
        try:
            output = await self._invoked(engine, arrival, client, news)
        except BaseException as error:
            reporter.invocation_ended("RETRY", error=describe(error))
            raise
        reporter.invocation_ended(output.status, result=output.result, error=output.error)
        return output

    async def _begin(self, arrival: Arrival, client: DurableClient) -> Engine:
        """An engine over what is recorded."""
        from everstep.replay.journal import Journal
        from everstep.runtime.engine import Engine

        operations = await arrival.state.all(client)
        journal = Journal(operations)
        return self._engine(arrival.arn, journal, Engine, self._reporter(arrival.arn, journal))

    def prepare(self, arn: str, operations: Mapping[str, Operation], kind: type[E]) -> tuple[E, Coroutine[object, object, str]]:
        """An engine of this kind over what is recorded, and the program for its `run`. Plugins are told nothing. Raises UsageError.

        operations: by id, in the order in which they began.
        """
        from everstep.context import DurableContext
        from everstep.replay.journal import Journal

        engine = self._engine(arn, Journal(operations), kind, None)
        try:
            event = self._event(engine.journal.operations[execution_id(arn)])
        except DurableError:
            engine.drop()
            raise
        return engine, self._program(event, DurableContext(engine, engine.root_scope.node))

    def _engine(self, arn: str, journal: Journal, kind: type[E], reporter: Reporter | None) -> E:
        execution = journal.operations.get(execution_id(arn))
        if execution is None:
            raise UsageError(f"the recorded state of {arn} has no EXECUTION operation: is it a durable execution's?")
        return kind(
            arn=arn,
            journal=journal,
            begun_at=execution.start_timestamp,
            clock=self.clock,
            durability=self._durability,
            stages=process.stages if self._stages is None else self._stages,
            serdes=self._serdes or process.serdes,
            reporter=reporter,
        )

    def _reporter(self, arn: str, journal: Journal) -> Reporter | None:
        """What tells the plugins; None if there are none."""
        if not self._plugins and not process.plugins:
            return None
        from everstep.plugins.hooks import Hooks
        from everstep.runtime.reporter import Reporter

        if self._hooks is None:
            self._hooks = Hooks((*process.plugins, *self._plugins))
        return Reporter(self._hooks, arn, self.name, journal, self.clock)

    async def _invoked(self, engine: Engine, arrival: Arrival, client: DurableClient, news: Sequence[Operation] | None) -> InvocationOutput:
        """news: what changed since the engine was parked; None if it starts."""
        program: Coroutine[object, object, str] | None = None
        if news is None:
            from everstep.context import DurableContext

            try:
                event = self._event(engine.journal.operations[execution_id(engine.arn)])
            except UsageError as error:
                engine.drop()
                return InvocationOutput(status="FAILED", error=describe(error))
            program = self._program(event, DurableContext(engine, engine.root_scope.node))
        engine.lambda_context, engine.is_alone = arrival.lambda_context, arrival.is_alone
        if arrival.is_alone:
            _make_calls_directly(client, engine)
        try:
            outcome = await engine.run(client=client, token=arrival.token, program=program, news=news or ())
            if outcome == "pending":
                self._park(engine)
                return InvocationOutput(status="PENDING")
            try:
                return await self._ended(engine)
            finally:
                engine.drop()
        except ServiceError as error:
            return _failed_or_raise(error)
        finally:
            if engine.has_running:  # cancelled step bodies get a turn to clean up: on Lambda the loop stands still from now on
                import asyncio

                await asyncio.sleep(0)

    async def _program(self, event: I, context: DurableContext) -> str:
        if self._is_sync:
            from everstep.runtime.greenlets import in_greenlet
            from everstep.synchronous import SyncContext

            value = await in_greenlet(cast("Callable[[I, SyncContext], O]", self.function), event, SyncContext(context))
        else:
            value = await cast("Callable[[I, DurableContext], Awaitable[O]]", self.function)(event, context)
        return self._output_serdes().serialize(value)

    def _event(self, execution: Operation) -> I:
        """The handler's input. Raises UsageError if it is not of the annotated type."""
        details = execution.execution_details
        serdes = self._input_serdes()
        text = details.input_payload if details is not None else None
        try:
            return serdes.deserialize("{}" if text is None else text)
        except DurableError as error:
            if text is None:
                raise UsageError(f"the execution was started without an input, and {self!r} needs one: {error}") from error
            raise

    async def _ended(self, engine: Engine) -> InvocationOutput:
        import asyncio

        try:
            text = engine.result()
        except (Exception, asyncio.CancelledError) as error:
            return InvocationOutput(status="FAILED", error=describe(error))
        if len(text) * 4 > _LARGEST_RESULT and len(text.encode()) > _LARGEST_RESULT:
            update = OperationUpdate(id="execution-result", type="EXECUTION", action="SUCCEED", payload=text)
            try:
                await engine.settle(update)
            except ServiceError as error:
                return _failed_or_raise(error)
            return InvocationOutput(status="SUCCEEDED", result="")
        return InvocationOutput(status="SUCCEEDED", result=text)

    def _park(self, engine: Engine) -> None:
        if self.warm_executions == 0 or engine.is_stale:
            engine.drop()
            return
        self._parked[engine.arn] = engine
        while len(self._parked) > self.warm_executions:
            self._parked.popitem(last=False)[1].drop()

    def _lambda_client(self) -> DurableClient:
        if self._client is None:
            self._client = _client_from(None)
        return self._client

    def _input_serdes(self) -> Serdes[I]:
        if self._input is None:
            if self._event_annotation is object:  # or it names what was not defined yet
                self._event_annotation = parameter_annotation(self.function, 0)
            self._input = cast("Serdes[I]", self._made(self._event_annotation))
        return self._input

    def _output_serdes(self) -> Serdes[O]:
        if self._output is None:
            self._output = cast("Serdes[O]", self._made(result_serdes(self.function).annotation))
        return self._output

    def _made(self, annotation: object) -> Serdes[object]:
        factory = self._serdes or process.serdes
        return serdes_for(annotation) if factory is None else factory(annotation)


class _Decorator(Protocol):
    """`@durable(…)`, to be applied to a handler of either kind."""

    @overload
    def __call__(self, function: Callable[[I, DurableContext], Coroutine[object, object, O]], /) -> DurableHandler[I, O]: ...
    @overload
    def __call__(self, function: Callable[[I, SyncContext], O], /) -> DurableHandler[I, O]: ...


@overload
def durable(function: Callable[[I, DurableContext], Coroutine[object, object, O]], /) -> DurableHandler[I, O]: ...
@overload
def durable(function: Callable[[I, SyncContext], O], /) -> DurableHandler[I, O]: ...
@overload
def durable(
    *,
    name: str | None = None,
    client: object | None = None,
    warm_executions: int = DEFAULT_WARM_EXECUTIONS,
    durability: Durability = "acknowledged",
    serdes: SerdesFactory | None = None,
    stages: Sequence[Stage] | None = None,
    plugins: Sequence[Plugin] = (),
) -> _Decorator: ...
def durable(
    function: Callable[[I, DurableContext], Coroutine[object, object, O]] | Callable[[I, SyncContext], O] | None = None,
    /,
    *,
    name: str | None = None,
    client: object | None = None,
    warm_executions: int = DEFAULT_WARM_EXECUTIONS,
    durability: Durability = "acknowledged",
    serdes: SerdesFactory | None = None,
    stages: Sequence[Stage] | None = None,
    plugins: Sequence[Plugin] = (),
) -> DurableHandler[I, O] | _Decorator:
    """Make `async def handler(event, ctx)` durable; or `def handler(event, ctx)`, whose context has the same operations without `await`.

    The event is read as its annotation says, the result written as JSON. name: how services know the function; default:
    its own. client: the service to talk to on AWS Lambda, a DurableClient or anything shaped like boto3's Lambda client
    (its methods may be coroutines); default: AWS, as the environment says. warm_executions: how many suspended executions
    stay in memory to be continued without replay; 0 switches that off. durability: "acknowledged" goes on once a step's result is
    recorded; "eager" also sends each update at once and alone, so that the history shows what happens as it happens;
    "pipelined" lets sequential code go on while the record is under way: faster, and after a crash the last steps may run
    again although their successors had begun. serdes, stages: of this handler, instead of the process's (`everstep.configure`);
    `stages=()` for none. plugins: told what happens, besides the process's and those that `EVERSTEP_PLUGINS` names. Raises
    UsageError if the function is not such a handler, or the client not such a client.
    """

    def decorate(
        handler: Callable[[I, DurableContext], Coroutine[object, object, O]] | Callable[[I, SyncContext], O],
    ) -> DurableHandler[I, O]:
        return DurableHandler(
            handler,
            name=name,
            client=client,
            warm_executions=warm_executions,
            durability=durability,
            serdes=serdes,
            stages=stages,
            plugins=plugins,
        )

    return cast("_Decorator", decorate) if function is None else decorate(function)


def _client_from(given: object | None) -> DurableClient:
    from everstep.client.choose import client_from

    return client_from(given)


def _make_calls_directly(client: DurableClient, engine: Engine) -> None:
    """On Lambda nothing but this execution runs on the loop: a client that blocks may do so while no step body runs."""
    blocking = getattr(client, "blocking", None)
    if blocking is not None:
        blocking.alone = lambda: not engine.has_running


def _failed_or_raise(error: ServiceError) -> InvocationOutput:
    if error.is_retryable:
        raise error
    return InvocationOutput(status="FAILED", error=describe(error))


def _check_handler(function: Callable[..., object]) -> bool:
    """Whether the handler is a plain function. Raises UsageError if it can't be a handler."""
    import inspect

    if not inspect.isfunction(function):
        raise UsageError(
            f"{function!r} is not a function: a durable handler is `async def handler(event, ctx)` or `def handler(event, ctx)`"
        )
    is_sync = not inspect.iscoroutinefunction(function)
    if is_sync:
        from everstep.runtime.greenlets import load_greenlet

        load_greenlet()
    parameters = list(inspect.signature(function).parameters.values())
    if len(parameters) != 2 or any(p.kind not in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters):
        raise UsageError(f"{function.__qualname__}{inspect.signature(function)} must take exactly two arguments: the event and the context")
    return is_sync
