"""Which client a Lambda handler talks through: one that was given, or our own, as the environment says."""

from __future__ import annotations

from typing import cast

from everstep.client.api import DurableClient


def client_from(given: object | None) -> DurableClient:
    """given: a DurableClient, anything shaped like boto3's Lambda client, or None for the environment's. Raises UsageError."""
    if given is None:
        from everstep.client.http import HttpClient

        return HttpClient.from_environment()
    if callable(getattr(given, "checkpoint", None)) and callable(getattr(given, "get_state", None)):
        return cast("DurableClient", given)
    from everstep.client.boto import BotoClient

    return BotoClient(given)
