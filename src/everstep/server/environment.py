"""What a worker's environment says, as on AWS Lambda."""

from __future__ import annotations

import os


def worker_environment(address: str, region: str, function: str, version: str) -> dict[str, str]:
    """What a worker's environment says, as on AWS Lambda. address: the server's host:port."""
    return {
        # Any credentials do, for the server checks no signatures; set, they keep SDKs from looking for others.
        "AWS_ACCESS_KEY_ID": os.environ.get("AWS_ACCESS_KEY_ID", "everstep"),
        "AWS_SECRET_ACCESS_KEY": os.environ.get("AWS_SECRET_ACCESS_KEY", "everstep"),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL_LAMBDA": f"http://{address}",
        "AWS_LAMBDA_FUNCTION_NAME": function,
        "AWS_LAMBDA_FUNCTION_VERSION": version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function}",
    }
