# mypy: ignore-errors
# pyright: basic, reportMissingImports=false
"""Handlers in the official Python SDK's own API. They run in an environment of its own, where Everstep is not installed."""

from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import CallbackConfig, Duration, StepConfig, WaitForCallbackConfig
from aws_durable_execution_sdk_python.retries import RetryStrategyConfig, create_retry_strategy
from aws_durable_execution_sdk_python.waits import WaitForConditionConfig, WaitStrategyConfig, create_wait_strategy

SECOND = Duration.from_seconds(1)
ONCE = StepConfig(retry_strategy=create_retry_strategy(RetryStrategyConfig(max_attempts=1)))


@durable_execution
def step(event, context):
    return context.step(lambda _: event * 2, name="double")


@durable_execution
def retry(event, context):
    def flaky(step):
        if step.attempt < 3:
            raise RuntimeError(f"attempt {step.attempt}")
        return step.attempt

    strategy = create_retry_strategy(RetryStrategyConfig(max_attempts=3, initial_delay=SECOND, max_delay=SECOND))
    return context.step(flaky, name="flaky", config=StepConfig(retry_strategy=strategy))


@durable_execution
def wait(event, context):
    first = context.step(lambda _: event + 1, name="before")
    context.wait(SECOND, name="pause")
    return context.step(lambda _: first * 10, name="after")


@durable_execution
def callback(event, context):
    callback = context.create_callback(name="approval", config=CallbackConfig(timeout=Duration.from_seconds(60)))
    return callback.result()


@durable_execution
def wait_for_callback(event, context):
    config = WaitForCallbackConfig(timeout=Duration.from_seconds(60))
    return context.wait_for_callback(lambda callback_id, _: None, name="approval", config=config)


@durable_execution
def wait_for_condition(event, context):
    polling = WaitStrategyConfig(should_continue_polling=lambda state: state < 3, initial_delay=SECOND, max_delay=SECOND)
    config = WaitForConditionConfig(wait_strategy=create_wait_strategy(polling), initial_state=0)
    return context.wait_for_condition(lambda state, _: state + 1, config, name="until-three")


@durable_execution
def map_items(event, context):
    return context.map(
        event, lambda child, item, index, inputs: child.step(lambda _: item * 2, name="double"), name="doubled"
    ).get_results()


@durable_execution
def parallel(event, context):
    branches = [lambda child: child.step(lambda _: "a", name="a"), lambda child: child.step(lambda _: "b", name="b")]
    return context.parallel(branches, name="both").get_results()


@durable_execution
def invoke(event, context):
    return context.invoke("step:$LATEST", event, name="other")


@durable_execution
def child(event, context):
    def inside(child):
        first = child.step(lambda _: event, name="first")
        child.wait(SECOND, name="pause")
        return child.step(lambda _: first + 1, name="second")

    return context.run_in_child_context(inside, name="part")


@durable_execution
def large(event, context):
    """A state of more than a page: 32 results of 200 KB, read again after the wait."""
    sizes = [len(context.step(lambda _: "x" * 200_000, name=f"chunk-{number}")) for number in range(event)]
    context.wait(SECOND, name="pause")
    return sum(sizes)


@durable_execution
def failing(event, context):
    def fail(_):
        raise ValueError("out of stock")

    return context.step(fail, name="fail", config=ONCE)
