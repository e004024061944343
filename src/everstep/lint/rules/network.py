"""EVS006: the network, and the databases behind it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from everstep.lint.forbidden import is_listed, shown
from everstep.lint.origins import origin
from everstep.lint.program import Program
from everstep.lint.rule import Report, Rule, reached

_TALKS: Final = frozenset(
    {
        f"{library}.{verb}"
        for library in ("httpx", "requests")
        for verb in ("delete", "get", "head", "options", "patch", "post", "put", "request")
    }
    | {
        *(
            "aiohttp.request",
            "httpx.stream",
            "urllib.request.urlopen",
            "urllib.request.urlretrieve",
            "urllib3.request",
            "websockets.connect",
        ),
        *("asyncio.open_connection", "asyncio.open_unix_connection", "asyncio.start_server", "asyncio.start_unix_server"),
        *("socket.create_connection", "socket.create_server", "socket.getaddrinfo", "socket.gethostbyaddr", "socket.gethostbyname"),
        *("socket.socket", "smtplib.SMTP", "smtplib.SMTP_SSL", "ftplib.FTP", "imaplib.IMAP4_SSL", "poplib.POP3_SSL"),
        *("asyncpg.connect", "psycopg.connect", "psycopg2.connect", "pymysql.connect", "sqlite3.connect"),
    }
)
_CLIENTS: Final = frozenset(
    {
        *("aioboto3.Session", "boto3.Session", "boto3.client", "boto3.resource", "boto3.session.Session"),
        *("aiohttp.ClientSession", "httpx.AsyncClient", "httpx.Client", "requests.Session", "requests.session", "urllib3.PoolManager"),
        *("http.client.HTTPConnection", "http.client.HTTPSConnection", "smtplib.SMTP", "smtplib.SMTP_SSL"),
        *("asyncpg.connect", "psycopg.connect", "psycopg2.connect", "pymongo.MongoClient", "pymysql.connect", "sqlite3.connect"),
        *("redis.Redis", "redis.asyncio.Redis", "redis.from_url", "elasticsearch.Elasticsearch", "opensearchpy.OpenSearch"),
        *("anthropic.Anthropic", "anthropic.AsyncAnthropic", "openai.AsyncOpenAI", "openai.OpenAI"),
    }
)
_STILL_CLIENTS: Final = frozenset(
    {
        *("client", "meta", "resource"),
        *("beta", "chat", "completions", "embeddings", "images", "messages", "responses", "with_options"),
    }
)
_QUIET: Final = frozenset(
    {
        *("aclose", "build_request", "can_paginate", "client", "close", "copy", "get_adapter", "get_paginator", "get_waiter", "mount"),
        *("prepare_request", "resource", "with_options"),
    }
)
"""Methods of clients that talk to nobody."""


def check(program: Program) -> Iterator[Report]:
    for call, _, handling in program.calls():
        name = program.module.qualified(call.func)
        if name is not None and is_listed(name, _TALKS):
            talks = f"{shown(name)}()"
        elif isinstance(call.func, ast.Attribute) and call.func.attr not in _QUIET and not call.func.attr[:1].isupper():
            made_by = origin(program.module, call.func.value, _STILL_CLIENTS)
            if made_by not in _CLIENTS:
                continue
            talks = f"{call.func.attr}() of a {made_by}"
        else:
            continue
        yield Report(
            call,
            f"handler code talks to the world with {talks}; every replay does so again: "
            f"do it in a step, which runs once and records what it returns{reached(handling)}",
        )


RULE: Final = Rule("EVS006", "network", "handler code uses the network or a database", check)
