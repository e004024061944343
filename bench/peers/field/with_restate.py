# mypy: ignore-errors
# pyright: basic, reportMissingImports=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""Restate: its server, and a service with its Python SDK under Hypercorn, over loopback. It cannot be embedded.

The environment has the Python SDK; RESTATE_SERVER names the server's program. A URL is a folder, which has the server's data and its
configuration: its defaults, but for the ports, telemetry, which is off, and 4 partitions instead of 24, which is faster on two cores.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import hypercorn.asyncio
import hypercorn.config
import restate

from bench import load

SERVICE = restate.Service("Bench")
GOES_ON = "BENCH_GOES_ON"
PORTS = ("ingress", "admin", "node", "service")


@SERVICE.handler()
async def work(ctx: restate.Context, event: dict) -> int:
    total = 0
    for number in range(event["n"]):

        async def add(number=number):
            return number

        total += await ctx.run_typed("add", add)
    return total


@SERVICE.handler()
async def moments(ctx: restate.Context, event: dict) -> list:
    """When each step ran."""
    times = []
    for _ in range(event["n"]):

        async def note():
            times.append(time.perf_counter())
            return 0

        await ctx.run_typed("note", note)
    return times


@SERVICE.handler()
async def dies(ctx: restate.Context, event: dict) -> int:
    total = await work(ctx, event)

    async def last():
        if GOES_ON not in os.environ:
            os._exit(0)
        print(time.perf_counter(), flush=True)
        return 1

    return total + await ctx.run_typed("last", last)


async def serve(folder):
    config = hypercorn.config.Config()
    config.bind = [f"127.0.0.1:{ports_of(folder)['service']}"]
    config.h2_max_concurrent_streams = config.keep_alive_max_requests = 2**31 - 1
    await hypercorn.asyncio.serve(restate.app([SERVICE]), config)
    return {}


def ports_of(folder):
    """Those of the last start, since the server knows the service by its port."""
    path = Path(folder, "ports.json")
    if not path.exists():
        path.write_text(json.dumps({name: load.free_port() for name in PORTS}))
    return json.loads(path.read_text())


@contextmanager
def service(folder):
    command = [sys.executable, "-m", "bench.peers.field.with_restate", "serve", folder]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def server(folder):
    ports = ports_of(folder)
    config = Path(folder, "restate.toml")
    config.write_text(
        f"""
disable-telemetry = true
bind-ip = "127.0.0.1"
bind-port = {ports["node"]}
listen-mode = "tcp"
log-filter = "error"
node-name = "bench"
base-dir = "{folder}/data"
default-num-partitions = 4
[ingress]
bind-address = "127.0.0.1:{ports["ingress"]}"
[admin]
bind-address = "127.0.0.1:{ports["admin"]}"
"""
    )
    command = [os.environ["RESTATE_SERVER"], "--config-file", str(config), "--no-logo"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield ports
    finally:
        process.kill()
        process.wait()


@contextmanager
def both(folder):
    Path(folder).mkdir(parents=True)
    with service(folder) as process, server(folder) as ports:
        load.until_answered(ports["admin"], "/health")
        asyncio.run(register(ports))
        yield ports["ingress"], process


async def register(ports):
    """Again and again until both are there, and an execution has ended."""
    body = json.dumps({"uri": f"http://127.0.0.1:{ports['service']}"}).encode()
    for port, path, sent in ((ports["admin"], "/deployments", body), (ports["ingress"], "/Bench/work", b'{"n": 20}')):
        async with asyncio.timeout(20):
            while True:
                try:
                    async with load.Caller.of(port) as caller:
                        await caller.post(path, sent)
                    break
                except (OSError, AssertionError, asyncio.IncompleteReadError):
                    await asyncio.sleep(0.05)


async def sequential(port, steps=1_000):
    async with load.posts([port], "/Bench/work") as posted:
        return await load.sequential(posted, steps)


async def fan(port):
    async with load.posts([port], "/Bench/work") as posted:
        return await load.fan(posted)


async def late(port):
    async with load.Caller.of(port) as caller:
        return load.early_and_late(json.loads(await caller.post("/Bench/moments", b'{"n": 2950}')))


async def apart(port, _instances):
    async with load.posts([port], "/Bench/work") as posted:
        return await load.apart(posted)


async def dying(port, process):
    async with load.Caller.of(port) as caller:
        await caller.post("/Bench/dies/send", b'{"n": 1000}')
    await asyncio.to_thread(process.wait)
    return {}


def restarted(folder):
    """The service's process is there again already when the server starts."""
    with service(folder) as process:
        load.until_answered(ports_of(folder)["service"], "/restate/health")
        began = time.perf_counter()
        with server(folder):
            return {"to_go_on_ms": (float(process.stdout.readline()) - began) * 1e3}


def main(name, folder, *numbers):
    if name == "serve":
        asyncio.run(serve(folder))
    elif name == "restarted":
        print(json.dumps(restarted(folder)))
    else:
        with both(folder) as (port, process):
            arguments = (process,) if name == "dying" else map(int, numbers)
            child = {child.__name__: child for child in (sequential, fan, late, apart, dying)}[name]
            print(json.dumps(asyncio.run(child(port, *arguments))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
