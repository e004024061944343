"""The keys that the tests' servers know."""

from __future__ import annotations

from everstep.server.access.keys import AccessKey
from everstep.server.access.roles import Role


def key(name: str, *roles: Role, session_token: str | None = None) -> AccessKey:
    return AccessKey(access_key_id=name, secret_access_key=f"the-secret-of-{name}-key", roles=list(roles), session_token=session_token)


OPERATOR = key("operator", "operator")
INVOKER = key("invoker", "invoker")
CALLBACK = key("callback", "callback")
WORKER = key("worker", "worker")
TEMPORARY = key("temporary", "invoker", session_token="a-session-token")
ROTATED = key("operator-2", "operator")
KEYS = (OPERATOR, INVOKER, CALLBACK, WORKER, TEMPORARY, ROTATED)
