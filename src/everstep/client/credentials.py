"""Where the credentials come from: the environment, as in every Lambda function; else whatever botocore finds.

Rule: credentials are asked for at each call, for they change: a process may be handed new ones, and temporary ones expire.
botocore is imported only if the environment has no keys.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Protocol, TypeAlias

from everstep.errors import ServiceError, UsageError
from everstep.protocol.sigv4 import Credentials

CredentialSource: TypeAlias = Callable[[], Credentials]
"""Says who asks, at each call. It may block: transports call it where they may block too."""


def credentials_in(environ: Mapping[str, str]) -> Credentials | None:
    """Those in the AWS_… variables, or None if the access key or the secret is missing."""
    access_key, secret_key = environ.get("AWS_ACCESS_KEY_ID", ""), environ.get("AWS_SECRET_ACCESS_KEY", "")
    if not access_key or not secret_key:
        return None
    # Stripped: a newline left over by `$(cat file)` would end the header that carries it.
    return Credentials(access_key.strip(), secret_key.strip(), environ.get("AWS_SESSION_TOKEN", "").strip() or None)


class EnvironmentCredentials:
    """The keys in the environment; without them, those of botocore's session: profiles, SSO, containers, instances."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        self._elsewhere: CredentialSource | None = None

    def __call__(self) -> Credentials:
        here = credentials_in(self._environ)
        if here is not None:
            return here
        if self._elsewhere is None:
            self._elsewhere = botocore_credentials()
        return self._elsewhere()


def botocore_credentials(profile: str | None = None) -> CredentialSource:
    """Those that botocore's session finds, the default or a profile's, renewed before they expire. Raises UsageError if there are none.

    The source raises ServiceError if they can't be renewed.
    """
    session = botocore_session(profile)
    if session is None and profile is not None:
        raise UsageError("profiles are read by botocore, which is not installed: pip install 'everstep[boto]'")
    if session is None:
        raise UsageError(
            "no AWS credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, and botocore, which reads profiles, "
            "SSO, container and instance roles, is not installed. Set the two, or: pip install 'everstep[boto]'"
        )
    try:
        found = session.get_credentials()
    except Exception as error:
        if profile is None:
            raise
        raise UsageError(f"the profile {profile} cannot be used: {error}") from error
    if found is None:
        raise UsageError(
            "no AWS credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, and botocore finds no profile, SSO "
            "session or role either. Set the two, or AWS_PROFILE, or run `aws configure`"
        )

    def current() -> Credentials:
        try:
            frozen = found.get_frozen_credentials()
        except Exception as error:  # botocore's, of many kinds: an SSO session that has ended, a metadata service that is silent
            raise ServiceError(f"botocore has no credentials: {error}", code=type(error).__name__, is_retryable=True) from error
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)

    return current


class FrozenCredentials(Protocol):
    access_key: str
    secret_key: str
    token: str | None


class RefreshableCredentials(Protocol):
    def get_frozen_credentials(self) -> FrozenCredentials: ...


class BotocoreSession(Protocol):
    """As much of botocore's session as we use. botocore itself has no types."""

    def get_credentials(self) -> RefreshableCredentials | None: ...

    def get_config_variable(self, logical_name: str, /) -> str | None: ...


def botocore_session(profile: str | None = None) -> BotocoreSession | None:
    """A session by the user's configuration, or None if botocore is not installed. Importing botocore takes 80 ms or more.

    profile: instead of the one that the environment names.
    """
    try:
        module = import_module("botocore.session")
    except ImportError:
        return None
    session: BotocoreSession = module.Session(profile=profile)
    return session
