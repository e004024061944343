"""Code that is in order, however much it looks like what is not: the linter says nothing of it."""

from __future__ import annotations

import textwrap

import pytest

from everstep.lint.check import check

BEFORE = """
import asyncio, contextlib, functools, itertools, os, random, sys, time, uuid
from pathlib import Path, PurePath
import boto3, openai, requests
import everstep
from everstep import DurableContext, SyncContext, durable
from shop import notify, work

cache: dict[str, int] = {}
rates = {"lamp": 19}
client = None
session = requests.Session()
ai = openai.OpenAI()
"""

IN_A_HANDLER = [
    # clocks, chance, environment
    "print(time.time())",
    "ctx.logger.info('at %s', time.time(), extra={'pid': os.getpid()})",
    "logger = ctx.logger\nlogger.warning(f'{uuid.uuid4()}')",
    "asyncio.get_running_loop().time()",
    "uuid.uuid5(uuid.NAMESPACE_URL, event)",
    "random.Random(event).choice([1, 2])",
    "time.gmtime(0)\ntime.strftime('%x', time.gmtime(1))\ntime.localtime(event)",
    "hash(7), hash((1, 2)), hash(event)",
    "await ctx.invoke(os.environ['WAREHOUSE'], {'region': os.getenv('REGION')})",
    "read = functools.partial(time.time)\nawait ctx.step(read)",
    "await ctx.step(time.time)\nawait ctx.step(uuid.uuid4)\nawait ctx.step(requests.get, event)",
    # files and clients
    "PurePath(event).with_suffix('.txt')\nPath(event).parent / 'a'\n'a-b'.replace('-', '')",
    "session.headers.update({'a': 'b'})\nsession.mount('https://', work)",
    "ai.with_options(timeout=3)",
    "await ctx.step(lambda: ai.chat.completions.create(model='a'), name='ask')",
    # what asyncio does durably
    "await asyncio.sleep(3)\nasync with asyncio.timeout(3):\n    await ctx.wait(1)",
    "async with asyncio.TaskGroup() as group:\n    group.create_task(ctx.wait(1))",
    "async with asyncio.Lock():\n    await ctx.wait(1)",
    "done, left = await asyncio.wait([asyncio.create_task(ctx.wait(1))])\nfor task in done:\n    await task",
    "for first in asyncio.as_completed(event):\n    await first",
    # global state
    "rates['lamp'] + len(cache)",
    "rates = dict(event)\nrates['lamp'] = 3",
    # order
    "for item in {1, 2, 3}:\n    await ctx.step(work, item)",
    "for item in set(range(3)):\n    await ctx.step(work, item)",
    "for item in sorted({'a', 'b'}):\n    await ctx.step(work, item)",
    "for item in {'a': 1}:\n    await ctx.step(work, item)",
    "total = sum(len(item) for item in {'a', 'b'})\nawait ctx.step(work, total)",
    "await asyncio.gather(*(ctx.step(work, item, key=item) for item in {'a', 'b'}))",
    # invocations
    "if ctx.lambda_context is None:\n    await ctx.step(work)",
    "if ctx.is_replaying:\n    print('again')",
    "ctx.logger.info(ctx.lambda_context.aws_request_id)",
    # writes
    "seen = []\nasync def body():\n    seen.append(1)\n    return len(seen)\nawait ctx.step(body)",
    "n = 0\nasync def body(child):\n    nonlocal n\n    n += 1\nawait ctx.run_in_child_context(body, virtual=True)\nprint(n)",
    "seen = []\nasync def branch():\n    seen.append(await ctx.step(work))\nawait asyncio.gather(branch(), branch())\nreturn seen",
    "results = {}\nfor item in event:\n    results[item] = await ctx.step(work, item)\nreturn results",
    # contexts
    "async def body(child):\n    ctx.logger.info('in %s', ctx.execution_arn)\n    await child.step(work)\nawait ctx.map(event, body)",
    "async def inner():\n    return await ctx.step(work)\nawait asyncio.create_task(inner())",
    "async def body(ctx):\n    return await ctx.step(work)\nawait ctx.map(event, body)",
    "async def body():\n    ctx.logger.info('a step may write to the log')\nawait ctx.step(body)",
    # awaits
    "wait = ctx.wait(3)\nawait wait",
    "steps = [ctx.step(work, item) for item in event]\nawait asyncio.gather(*steps)",
    "return await (ctx.step(work) if event else ctx.wait(1))",
    "await ctx.race(ctx.step(work), ctx.wait(1))",
    "callback = await ctx.create_callback()\nreturn await callback",
    "return [await step for step in (ctx.step(work), ctx.wait(1))]",
    "started = ctx.step(work)\ndef later():\n    return started\nawait later()",
    # exceptions
    "try:\n    await ctx.step(work)\nexcept BaseException:\n    await ctx.step(work)\n    raise",
    "try:\n    await ctx.step(work)\nexcept BaseException as error:\n    notify(error)",
    "try:\n    len(event)\nexcept:\n    pass",
    "try:\n    await ctx.step(work)\nexcept BaseException:\n    sys.exit(1)",
    "with contextlib.suppress(asyncio.CancelledError):\n    await ctx.step(work)",
    # callbacks
    "callback = await ctx.create_callback()\nasyncio.create_task(ctx.step(notify.ask, callback.callback_id))\nreturn await callback",
    "callback = await ctx.create_callback()\nawait asyncio.gather(ctx.step(notify.ask, callback.callback_id), callback)",
    "callback = await ctx.create_callback()\nids = []\nids.append(callback.callback_id)\nawait ctx.step(notify.ask, ids)",
    "callback = await ctx.create_callback()\nlink = notify.link(callback.callback_id)\nawait ctx.step(notify.ask, link)",
    # loops
    "async with asyncio.timeout(60):\n    while True:\n        await ctx.wait(1)",
    "try:\n    while True:\n        await ctx.step(work)\nexcept ValueError:\n    pass",
    "async def beat():\n    while True:\n        await ctx.wait(60)\ntask = asyncio.create_task(beat())\ntask.cancel()",
    "while True:\n    for item in event:\n        if await ctx.step(work):\n            return item",
    "while True:\n    len(event)",
    "for number in itertools.count():\n    if await ctx.step(work, number):\n        break",
    # bodies
    "def made(item):\n    async def body():\n        return item\n    return body\nawait ctx.step(made(event))",
    "await ctx.step(functools.partial(work, 1))",
    "steps = []\nfor item in event:\n    if item:\n        steps.append(ctx.step(lambda: work(item)))\n        break\nawait steps[0]",
    "await ctx.parallel([work(max(event, key=lambda x: x + item)) for item in event])",
    "for item in event:\n    await ctx.step(lambda: work(item))",
    "await asyncio.gather(*[ctx.step(lambda item=item: work(item)) for item in event])",
    "for item in event:\n    task = asyncio.create_task(ctx.step(lambda: work(item)))\n    await task",
]

MODULES = [
    # caches
    """
    def rate(item):
        if item not in cache:
            cache[item] = 3
        return cache[item]

    @durable
    async def order(event, ctx):
        return rate(event)
    """,
    """
    def rate(item):
        found = cache.get(item)
        if found is None:
            found = cache[item] = 3
        return found

    @durable
    async def order(event, ctx):
        return rate(event)
    """,
    """
    def rate(item):
        try:
            return cache[item]
        except KeyError:
            cache[item] = 3
            return 3

    @durable
    async def order(event, ctx):
        return rate(event)
    """,
    """
    def connected():
        global client
        if client is None:
            client = boto3.client("s3")
        return client

    @durable
    async def order(event, ctx):
        await ctx.step(connected().put_object, event)
    """,
    # a step and its own state
    """
    def stamp():
        cache["last"] = 1

    def last():
        return cache["last"]

    @durable
    async def order(event, ctx):
        await ctx.step(stamp)
        return await ctx.step(last)
    """,
    # not handlers
    """
    def context_of(ctx):
        return time.time()

    class Runner:
        def run(self, handler):
            return time.time()

    async def main():
        await asyncio.to_thread(print, time.time())
        async with everstep.Service() as service:
            await service.start(order, None, name=str(uuid.uuid4()))

    @durable
    async def order(event, ctx):
        return 1

    asyncio.run(main())
    """,
    # a helper that only logs
    """
    def say(ctx: DurableContext, text: str) -> None:
        if ctx.is_replaying:
            return
        print(text)

    @durable
    async def order(event, ctx):
        say(ctx, "a")
        await ctx.wait(1)
    """,
    # an endless loop of a task that is cancelled
    """
    async def beat(ctx: DurableContext) -> None:
        while True:
            await ctx.wait(60)

    @durable
    async def order(event, ctx):
        await ctx.race(beat(ctx), ctx.step(work))
    """,
    # plain handlers
    """
    @durable
    def order(event, ctx: SyncContext):
        ctx.step(work)
        ctx.wait(3)
        if ctx.step(work) == 3:
            return ctx.step(work)["a"]
        callback = ctx.create_callback()
        ctx.step(notify.ask, callback.callback_id)
        return callback.result()
    """,
    # generators and context managers
    """
    @contextlib.asynccontextmanager
    async def locked(ctx: DurableContext, name: str):
        await ctx.step(work, name)
        try:
            yield name
        finally:
            await ctx.step(work, name)

    @durable
    async def order(event, ctx):
        async with locked(ctx, "a") as name:
            await ctx.step(work, name)
    """,
]


@pytest.mark.parametrize("code", IN_A_HANDLER)
def test_handler_code_in_order(code: str) -> None:
    found = check(f"{BEFORE}\n@durable\nasync def order(event, ctx: DurableContext):\n{textwrap.indent(code, '    ')}\n", "orders.py")

    assert [f"{one.rule_id} {one.message}" for one in found] == []


@pytest.mark.parametrize("code", MODULES)
def test_modules_in_order(code: str) -> None:
    found = check(BEFORE + textwrap.dedent(code), "orders.py")

    assert [f"{one.rule_id} {one.message}" for one in found] == []
