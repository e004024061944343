"""What ways to call AWS cost a cold start, and each call after it. The figures in docs/adr/0003-aws-transport.md come from here.

    python bench/transport_coldstart.py            # what is installed here
    python bench/transport_coldstart.py --runs 15 --python ~/venv-with-awscrt/bin/python

Every run is a fresh process that imports asyncio and a client, makes a signed checkpoint request to a server on this machine
(a process of its own; plain, and over TLS with the system's certificates loaded), and then 2,000 more. The first call counts
from before the imports; "import" is their part of it. Printed is the best of the runs: what else the machine does counts
least there.
"""

from __future__ import annotations

# What a client under test may import must not be loaded before it is measured: so nothing else stands here.
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeAlias

    MakeCalls: TypeAlias = Callable[[int], None]

SOURCE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "src")  # not pathlib: it is one of them
ARN = "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST/durable-execution/n/e"
TOKEN = "a" * 300
UPDATES = [
    {"Id": "1" * 64, "Type": "STEP", "Action": "START", "Name": "charge", "SubType": "Step"},
    {"Id": "1" * 64, "Type": "STEP", "Action": "SUCCEED", "Name": "charge", "SubType": "Step", "Payload": "1"},
]
ANSWER = {
    "CheckpointToken": TOKEN,
    "NewExecutionState": {
        "Operations": [
            {
                "Id": "1" * 64,
                "Type": "STEP",
                "Status": "SUCCEEDED",
                "StartTimestamp": 1764802744.864,
                "EndTimestamp": 1764802744.9,
                "StepDetails": {"Attempt": 1, "Result": "1"},
            }
        ]
    },
}
ENVIRONMENT = {
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "t" * 400,
    "PYTHONPATH": SOURCE,
}
CALLS = 2_000
imported_at = 0.0


def imports_end() -> None:
    global imported_at  # noqa: PLW0603 # one figure of one process
    imported_at = time.perf_counter()


# The clients. Each imports what it needs when it is called, and returns a function that makes so many calls.


def everstep(url: str, bundle: str) -> MakeCalls:
    """Ours, on the calling thread."""
    return _everstep(is_alone=True)


def everstep_in_a_thread(url: str, bundle: str) -> MakeCalls:
    """Ours, in its worker thread, so that an event loop can go on."""
    return _everstep(is_alone=False)


def everstep_over_http_client(url: str, bundle: str) -> MakeCalls:
    """Ours, but for the connection, which is the standard library's."""
    import http.client
    import ssl

    from everstep.client import http as ours
    from everstep.client.connection import Response

    class Connection:
        is_open = True
        is_used = False

        def __init__(self, kept: http.client.HTTPConnection) -> None:
            self._kept = kept

        def exchange(self, request: bytes) -> Response:
            head, _, body = request.partition(b"\r\n\r\n")
            line, *lines = head.decode("latin-1").split("\r\n")
            method, target, _version = line.split(" ")
            self._kept.request(method, target, body, dict(line.split(": ", 1) for line in lines))
            response = self._kept.getresponse()
            return Response(response.status, {name.lower(): value for name, value in response.headers.items()}, response.read())

        def close(self) -> None:
            self._kept.close()

    class Dialer:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def dial(self) -> Connection:
            scheme, _, host = url.partition("://")
            if scheme == "https":
                return Connection(http.client.HTTPSConnection(host, context=ssl.create_default_context()))
            return Connection(http.client.HTTPConnection(host))

    setattr(ours, "Dialer", Dialer)  # noqa: B010 # in place of ours, which the type checker would rather keep
    return _everstep(is_alone=True)


def _everstep(*, is_alone: bool) -> MakeCalls:
    import asyncio

    from everstep.client.http import HttpClient
    from everstep.protocol.shapes import OperationUpdate

    imports_end()
    client = HttpClient.from_environment()
    client.blocking.alone = lambda: is_alone
    updates = [
        OperationUpdate(id="1" * 64, type="STEP", action="START", name="charge", sub_type="Step"),
        OperationUpdate(id="1" * 64, type="STEP", action="SUCCEED", name="charge", sub_type="Step", payload="1"),
    ]
    loop = asyncio.new_event_loop()

    async def calls(count: int) -> None:
        for _ in range(count):
            await client.checkpoint(ARN, TOKEN, updates, "once")

    return lambda count: loop.run_until_complete(calls(count))


def awscrt(url: str, bundle: str) -> MakeCalls:
    """AWS's C runtime: signer, TLS and HTTP outside Python, on threads of its own; here waited for on the calling thread."""
    import asyncio
    from importlib import import_module
    from io import BytesIO

    import msgspec

    from everstep.client import rest  # what it costs beside a client is the transport alone
    from everstep.protocol.shapes import OperationUpdate

    auth, http, io = (import_module(f"awscrt.{module}") for module in ("auth", "http", "io"))  # not there when types are checked
    imports_end()
    asyncio.new_event_loop().close()
    scheme, _, host = url.partition("://")
    name, _, port = host.partition(":")
    provider = auth.AwsCredentialsProvider.new_static(
        os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], os.environ["AWS_SESSION_TOKEN"]
    )
    tls = None
    if scheme == "https":
        options = io.TlsContextOptions()
        options.override_default_trust_store_from_path(None, bundle)
        tls = io.ClientTlsContext(options).new_connection_options()
        tls.set_server_name(name)
    connection = http.HttpClientConnection.new(
        host_name=name,
        port=int(port),
        bootstrap=io.ClientBootstrap.get_or_create_static_default(),
        socket_options=io.SocketOptions(),
        tls_connection_options=tls,
    ).result()
    updates = msgspec.convert(UPDATES, list[OperationUpdate])

    def call() -> None:
        asked = rest.checkpoint_request(ARN, TOKEN, updates, "once")
        headers = [("Host", host), ("Content-Type", "application/json"), ("Content-Length", str(len(asked.body)))]
        request = http.HttpRequest("POST", asked.path, http.HttpHeaders(headers), BytesIO(asked.body))
        config = auth.AwsSigningConfig(
            algorithm=auth.AwsSigningAlgorithm.V4,
            signature_type=auth.AwsSignatureType.HTTP_REQUEST_HEADERS,
            credentials_provider=provider,
            region="us-east-1",
            service="lambda",
        )
        auth.aws_sign_request(request, config).result()
        answer = bytearray()

        def read(*, chunk: bytes, **_: object) -> None:
            answer.extend(chunk)

        stream = connection.request(request, on_body=read)
        stream.activate()
        assert stream.completion_future.result() == 200
        rest.read_checkpoint(bytes(answer))

    return repeated(call)


def boto3(url: str, bundle: str) -> MakeCalls:
    """What the other SDKs use."""
    import asyncio
    from importlib import import_module

    client_of = import_module("boto3").client  # it has no types
    imports_end()
    asyncio.new_event_loop().close()
    client = client_of("lambda", endpoint_url=url)

    def call() -> None:
        client.checkpoint_durable_execution(DurableExecutionArn=ARN, CheckpointToken=TOKEN, Updates=UPDATES, ClientToken="once")

    return repeated(call)


def repeated(call: Callable[[], None]) -> MakeCalls:
    def calls(count: int) -> None:
        for _ in range(count):
            call()

    return calls


CLIENTS: dict[str, Callable[[str, str], MakeCalls]] = {
    "everstep": everstep,
    "everstep in a thread": everstep_in_a_thread,
    "everstep over http.client": everstep_over_http_client,
    "awscrt": awscrt,
    "boto3": boto3,
}


def measure(name: str, url: str, bundle: str) -> None:
    """In the fresh process: print ms until the first answer (wall, CPU, wall of the imports), µs per further call (wall, CPU), MiB."""
    begin, begin_cpu = time.perf_counter(), time.process_time()
    make_calls = CLIENTS[name](url, bundle)
    make_calls(1)
    first, first_cpu = time.perf_counter() - begin, time.process_time() - begin_cpu
    imports = imported_at - begin
    begin, begin_cpu = time.perf_counter(), time.process_time()
    make_calls(CALLS)
    each, each_cpu = (time.perf_counter() - begin) / CALLS, (time.process_time() - begin_cpu) / CALLS
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    print(first * 1e3, first_cpu * 1e3, imports * 1e3, each * 1e6, each_cpu * 1e6, peak / 1024, flush=True)
    os._exit(0)  # what threads do at the end is not measured


# The server


def serve(certificate: str) -> None:
    """Answer every request at once, as plainly as possible; print the ports of the plain and the TLS server."""
    import socket
    import ssl
    import threading

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    plain, secure = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
    print(plain.getsockname()[1], secure.getsockname()[1], flush=True)

    def accept(server: socket.socket, context: ssl.SSLContext | None) -> None:
        while True:
            sock, _ = server.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=answer, args=(sock, context), daemon=True).start()

    threading.Thread(target=accept, args=(plain, None), daemon=True).start()
    accept(secure, context)


def answer(sock: socket.socket, context: ssl.SSLContext | None) -> None:
    import json

    if context is not None:
        sock = context.wrap_socket(sock, server_side=True)
    body = json.dumps(ANSWER).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-amzn-RequestId: {'0' * 36}\r\nContent-Length: {len(body)}\r\n\r\n"
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            received = sock.recv(65536)
            if not received:
                return
            data += received
        asked, _, data = data.partition(b"\r\n\r\n")
        length = int(next(line.split(b":")[1] for line in asked.lower().split(b"\r\n") if line.startswith(b"content-length")))
        while len(data) < length:
            data += sock.recv(65536)
        data = data[length:]
        sock.sendall(head.encode() + body)


# The comparison


def compare(python: str, runs: int, certificate: str, bundle: str) -> None:
    import subprocess

    server = subprocess.Popen([sys.executable, __file__, "--serve", certificate], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    plain, secure = server.stdout.readline().split()
    print(f"{'':30} {'first call, ms':^24} {'each call, µs':^16} {'MiB':>6}")
    print(f"{'':30} {'wall':>8}{'CPU':>8}{'import':>8} {'wall':>8}{'CPU':>8} {'peak':>6}")
    try:
        for url in (f"http://localhost:{plain}", f"https://localhost:{secure}"):
            for name in CLIENTS:
                results = [run(python, name, url, bundle) for _ in range(runs)]
                label = f"{name}, TLS" if url.startswith("https") else name
                if all(results):
                    best = [min(figures) for figures in zip(*results, strict=True)]
                    print("{:30} {:8.1f}{:8.1f}{:8.1f} {:8.0f}{:8.0f} {:6.1f}".format(label, *best))
                else:
                    print(f"{label:30} not installed")
    finally:
        server.kill()


def run(python: str, name: str, url: str, bundle: str) -> list[float]:
    """The figures of one fresh process; none if it lacks the client's package."""
    import subprocess

    environment = {**os.environ, **ENVIRONMENT, "AWS_ENDPOINT_URL_LAMBDA": url, "SSL_CERT_FILE": bundle, "AWS_CA_BUNDLE": bundle}
    done = subprocess.run([python, __file__, "--measure", name, url, bundle], env=environment, capture_output=True, text=True, check=False)
    if "ModuleNotFoundError" in done.stderr:
        return []
    if done.returncode:
        raise SystemExit(done.stderr)
    return [float(figure) for figure in done.stdout.split()]


def make_certificate(folder: Path) -> tuple[str, str]:
    """Files: a certificate with its key, and the system's certificates with it among them."""
    import ssl
    import subprocess
    from pathlib import Path

    key, certificate, bundle = folder / "key.pem", folder / "localhost.pem", folder / "bundle.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    more = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *more], check=True, capture_output=True)
    system = ssl.get_default_verify_paths().cafile
    bundle.write_text((Path(system).read_text() if system else "") + certificate.read_text())
    certificate.write_text(certificate.read_text() + key.read_text())
    return str(certificate), str(bundle)


def main() -> None:
    import argparse
    import tempfile
    from pathlib import Path

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--python", default=sys.executable, help="the interpreter to measure with")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare(options.python, options.runs, *make_certificate(Path(folder)))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--measure", name, url, bundle]:
            measure(name, url, bundle)
        case ["--serve", certificate]:
            serve(certificate)
        case _:
            main()
