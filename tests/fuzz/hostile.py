"""Requests as nobody should send them: hypothesis strategies over the server's routes, and the bytes that go on the wire.

Rule: a request is mostly right, with some of it wrong. One that is wrong altogether gets no further than the first check.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from hypothesis import strategies as st

from everstep.server.routing import OPERATIONS

TIMEOUT_S: Final = 10
"""After which an answer that does not come is a hang."""

HOSTILE_TEXTS: Final = (
    "",
    " ",
    "%",
    "%00",
    "\x00",
    "..",
    "../../etc/passwd",
    "a/b",
    "a%2Fb",
    "//",
    "é",
    "\U0001d7d7",  # a nine, of another kind
    "\ufeff",
    "\ud7ff",
    "'; DROP TABLE executions; --",
    "{}",
    "null",
    "true",
    "-1",
    "0",
    "1e300",
    "-1e300",
    "nan",
    "inf",
    "9" * 30,
    "9" * 5_000,
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.999999-23:59",
    "2025-13-41",
    "a" * 300,
    "a" * 5_000,
    "arn:aws:lambda:us-east-1:123456789012:function:quick:$LATEST/durable-execution/a/b",
    "arn:aws:lambda:us-east-1:١٢٣٤٥٦٧٨٩٠١٢:function:quick:$LATEST/durable-execution/a/b",
    "123456789012:function:nobody",
    "YTpiOmM=",
    "OjA6OjA6",
)
"""What has broken programs before."""

EXTREME_NUMBERS: Final = (0, -1, 1, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**30, 0.5, -0.0, 1e300)

TEXTS: Final = st.one_of(st.sampled_from(HOSTILE_TEXTS), st.text(max_size=20))
VALUES: Final = st.recursive(
    st.one_of(st.none(), st.booleans(), st.sampled_from(EXTREME_NUMBERS), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["Error", "Result", "a"]), inner, max_size=3)),
    max_leaves=5,
)

QUERY_NAMES: Final = (
    *("Marker", "MaxItems", "ReverseOrder", "IncludeExecutionData", "CheckpointToken", "Qualifier", "DurableExecutionName"),
    *("Statuses", "StartedAfter", "StartedBefore", "FunctionVersion", "tagKeys", "nonsense"),
)
HEADER_NAMES: Final = (
    *("X-Amz-Invocation-Type", "X-Amz-Log-Type", "X-Amz-Client-Context", "X-Amz-Durable-Execution-Name", "X-Amz-Tenant-Id"),
    *("X-Amzn-Trace-Id", "X-Everstep-Function", "Content-Type", "Authorization", "Host", "Accept", "Expect", "X-Nonsense"),
)
GOOD_VALUES: Final[Mapping[str, Sequence[str]]] = {
    "X-Amz-Invocation-Type": ("Event", "DryRun"),
    "X-Amz-Log-Type": ("Tail", "None"),
    "Content-Type": ("application/json", "text/xml", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"),
    "MaxItems": ("1", "1000"),
    "Statuses": ("RUNNING", "FAILED"),
    "ReverseOrder": ("true", "false"),
    "Qualifier": ("$LATEST", "1"),
}
MEMBERS: Final[Mapping[str, Sequence[object]]] = {
    "CheckpointToken": (),
    "ClientToken": ("once",),
    "Updates": (),
    "Id": ("a", "b"),
    "ParentId": ("a",),
    "Name": ("made", "live"),
    "SubType": ("Step",),
    "Type": ("STEP", "WAIT", "CONTEXT", "CALLBACK", "CHAINED_INVOKE", "EXECUTION"),
    "Action": ("START", "SUCCEED", "FAIL", "RETRY", "CANCEL"),
    "Payload": ("{}", "\x00"),
    "Error": ({"ErrorType": "E", "ErrorMessage": "m"}, {}),
    "StepOptions": ({"NextAttemptDelaySeconds": 1}, {}),
    "WaitOptions": ({"WaitSeconds": 1}, {"WaitSeconds": 31_622_400}),
    "CallbackOptions": ({"TimeoutSeconds": 0}, {"HeartbeatTimeoutSeconds": 99_999_999}),
    "ChainedInvokeOptions": ({"FunctionName": "plain"}, {"FunctionName": "nobody"}, {"FunctionName": "a:b:c"}),
    "ContextOptions": ({"ReplayChildren": True},),
    "Reason": ("why",),
    "ExecutionTimeoutPaused": (True, False),
    "ErrorType": ("E",),
    "ErrorMessage": ("m",),
    "ErrorData": ("d",),
    "StackTrace": (["line"],),
    "FunctionName": ("made", "made-too"),
    "Role": ("arn:aws:iam::123456789012:role/r",),
    "Code": ({"ZipFile": "UEs="}, {"ZipFile": "?"}, {}),
    "Timeout": (1,),
    "DurableConfig": ({"ExecutionTimeout": 901}, {"ExecutionTimeout": 901, "RetentionPeriodInDays": 1}, {}),
    "Layers": (["layer"],),
    "Tags": ({"a": "b"}, {}),
    "Publish": (True,),
    "RevisionId": ("r",),
    "FunctionVersion": ("$LATEST", "1"),
    "RoutingConfig": ({"AdditionalVersionWeights": {"1": 0.5}}, {"AdditionalVersionWeights": {"1": 2}}),
    "DestinationConfig": ({"OnFailure": {}},),
    "errorType": ("E",),
    "stackTrace": (["line"],),
}
"""What a body may have, each with values that are right somewhere."""
UPDATE: Final = ("Id", "Type", "Action", "Name", "SubType", "ParentId", "Payload", "Error", "StepOptions", "WaitOptions", "CallbackOptions")
BODIES: Final[Mapping[str, Sequence[str]]] = {
    "CheckpointDurableExecution": ("CheckpointToken", "Updates", "ClientToken"),
    "StopDurableExecution": ("ErrorType", "ErrorMessage", "ErrorData", "StackTrace", "Error"),
    "SendDurableExecutionCallbackFailure": ("ErrorType", "ErrorMessage", "ErrorData", "StackTrace", "Error"),
    "PauseDurableExecution": ("Reason", "ExecutionTimeoutPaused", "ClientToken"),
    "ResumeDurableExecution": ("Reason", "ClientToken"),
    "CreateFunction": ("FunctionName", "Role", "Code", "Timeout", "DurableConfig", "Layers", "Tags", "Publish"),
    "UpdateFunctionConfiguration": ("Timeout", "DurableConfig", "Layers", "RevisionId", "Role"),
    "CreateAlias": ("Name", "FunctionVersion", "RoutingConfig"),
    "UpdateAlias": ("FunctionVersion", "RoutingConfig", "RevisionId"),
    "TagResource": ("Tags",),
}
"""What a body of the operation has; others take anything."""
TOKEN: Final = "TheToken"
"""Stands for the token that is valid now, as the labels below stand for what there is."""
LABELS: Final[Mapping[str, Sequence[str]]] = {
    "FunctionName": ("quick", "approval:$LATEST", "plain", "pulled", "made"),
    "Resource": ("made", "quick", "nothing"),
    "Doomed": ("made", "made-too", "made:live"),
    "Name": ("live", "made"),
    "DurableExecutionArn": ("TheArn0", "TheArn1", "TheArn2", "TheBareArn0"),
    "CallbackId": ("TheCallback",),
}


@dataclass(frozen=True, repr=False)
class Request:
    """target: the request line's, encoded. chunks: a body that is sent in chunks of that size, None: in one piece."""

    method: str
    target: bytes
    headers: Sequence[tuple[str, bytes]]
    body: bytes
    chunks: int | None

    def __repr__(self) -> str:
        body = f"{len(self.body)} bytes: {self.body[:500]!r}"
        return f"<{self.method} {self.target[:500]!r}, {self.headers!r:.500}, {body}, chunks of {self.chunks}>"

    def bytes(self) -> bytes:
        lines = [b"%s %s HTTP/1.1" % (self.method.encode(), self.target), b"Connection: close"]
        lines += [b"%s: %s" % (name.encode(), value) for name, value in self.headers]
        if not any(name == "Host" for name, _ in self.headers):
            lines.append(b"Host: localhost")
        if self.chunks is None:
            lines.append(b"Content-Length: %d" % len(self.body))
            body = self.body
        else:
            lines.append(b"Transfer-Encoding: chunked")
            pieces = [self.body[at : at + self.chunks] for at in range(0, len(self.body), self.chunks)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        return b"\r\n".join([*lines, b"", body])


def labels(name: str) -> st.SearchStrategy[str]:
    known = st.sampled_from(LABELS[name])
    return st.one_of(known, known, known, TEXTS)


ENCODED: Final = st.sampled_from(["", "", "/:$", "/%"])
"""Characters that stand in the open in a path."""


@st.composite
def targets(draw: st.DrawFn, method: str, path: str) -> bytes:
    parts: list[str] = []
    for part in path.split("/"):
        name = part.strip("{}")
        if method == "DELETE" and name == "FunctionName":
            name = "Doomed"  # the others are still needed
        parts.append(quote(draw(labels(name)), safe=draw(ENCODED)) if name in LABELS else part)
    query = draw(st.lists(st.tuples(st.sampled_from(QUERY_NAMES), st.none() | TEXTS), max_size=3))
    written = [f"{name}={quote(value if value is not None else draw(good_value(name)), safe='')}" for name, value in query]
    return ("/".join(parts) + ("?" + "&".join(written) if written else "")).encode()


def good_value(name: str) -> st.SearchStrategy[str]:
    return st.sampled_from(GOOD_VALUES.get(name, ("a",)))


@st.composite
def header_lists(draw: st.DrawFn) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for name in draw(st.lists(st.sampled_from(HEADER_NAMES), max_size=4)):  # a name may come twice
        value = draw(st.one_of(good_value(name), TEXTS)).encode()
        found.append((name, bytes(byte for byte in value if byte >= 32 and byte != 127)[:2_000]))
    return found


@st.composite
def objects(draw: st.DrawFn, members: Sequence[str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in members:
        good = MEMBERS[name]
        kind = draw(st.sampled_from("ggggwm"))
        if name == "Updates":
            found[name] = draw(st.lists(objects(UPDATE), max_size=3) if kind == "g" else VALUES)
        elif name == "CheckpointToken":
            found[name] = TOKEN if kind == "g" else draw(VALUES)
        elif kind == "g" and good:
            found[name] = draw(st.sampled_from(good))
        elif kind == "w":
            found[name] = draw(VALUES)
    return found


@st.composite
def bodies(draw: st.DrawFn, operation: str) -> bytes:
    kind = draw(st.sampled_from(["right", "right", "right", "any", "deep", "bytes", "none", "cut"]))
    members = BODIES.get(operation, tuple(MEMBERS))
    if kind == "none":
        return b""
    if kind == "bytes":
        return draw(st.binary(max_size=50))
    if kind == "deep":
        depth = draw(st.sampled_from([100, 300, 600, 950, 3_000, 50_000]))
        opening, closing = draw(st.sampled_from([(b"[", b"]"), (b'{"a":', b"}")]))
        nested = opening * depth + b"null" + closing * depth
        return b'{"%s":%s}' % (draw(st.sampled_from(members)).encode(), nested) if draw(st.booleans()) else nested
    if kind == "any":
        members = draw(st.lists(st.sampled_from(tuple(MEMBERS)), unique=True, max_size=8))
    text = json.dumps(draw(objects(members)), ensure_ascii=draw(st.booleans())).encode()
    return text[: draw(st.integers(0, len(text)))] if kind == "cut" else text


@st.composite
def requests(draw: st.DrawFn) -> Request:
    (method, path), operation = draw(st.sampled_from([*OPERATIONS.items()] + [*WORKERS.items()] * 2))
    if draw(st.integers(0, 19)) == 0:
        method = draw(st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "NONSENSE"]))
    return Request(
        method,
        draw(targets(method, path)),
        draw(header_lists()),
        draw(bodies(operation)),
        draw(st.sampled_from([None, None, None, 1, 7, 100_000])),
    )


WORKERS: Final[Mapping[tuple[str, str], str]] = {
    ("POST", "/runtime/{FunctionName}/2018-06-01/runtime/init/error"): "worker",
    ("POST", "/runtime/{FunctionName}/w/2018-06-01/runtime/invocation/{Resource}/response"): "worker",
    ("POST", "/runtime/{FunctionName}/2018-06-01/runtime/invocation/{Resource}/error"): "worker",
    ("GET", "/runtime/{Resource}x/2018-06-01/runtime/{Name}"): "worker",
}
"""What workers ask for, except for the next invocation, for which they wait."""


def exchange(address: str, request: bytes) -> bytes:
    """Everything that comes back until the server closes the connection. Raises TimeoutError."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT_S) as connection:
        received: list[bytes] = []
        try:
            connection.sendall(request)
            while piece := connection.recv(1 << 16):
                received.append(piece)
        except (ConnectionResetError, BrokenPipeError):
            pass  # it refused to hear us out; what it said before counts
        return b"".join(received)
