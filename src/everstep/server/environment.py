"""What a worker's environment says, as on AWS Lambda."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CREDENTIALS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def some_credentials(environ: Mapping[str, str]) -> dict[str, str]:
    """Those that are there, else names that keep SDKs from looking for others: a server may check no signatures."""
    found = {name: environ[name] for name in CREDENTIALS if environ.get(name)}
    return found if found.keys() >= {*CREDENTIALS[:2]} else dict.fromkeys(CREDENTIALS[:2], "everstep")


def server_environment(url: str, region: str) -> dict[str, str]:
    """What leads SDKs to the server, but for the credentials."""
    return {"AWS_REGION": region, "AWS_DEFAULT_REGION": region, "AWS_ENDPOINT_URL_LAMBDA": url}


def worker_environment(url: str, region: str, function: str, version: str) -> dict[str, str]:
    """What a worker of one function finds: everything but the credentials and the Runtime API. url: the server's."""
    return {
        **server_environment(url, region),
        "AWS_LAMBDA_FUNCTION_NAME": function,
        "AWS_LAMBDA_FUNCTION_VERSION": version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function}",
    }
