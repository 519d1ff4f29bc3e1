"""A real S3 server in a process of its own, and a proxy before it that fails as it is told."""

from __future__ import annotations

import http.client
import os
import re
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

_START_S = 120
_NOT_PASSED_ON = {"connection", "transfer-encoding", "keep-alive", "content-length"}

What = Literal["answer", "cut upload", "cut download", "lose answer", "stall"]


@contextmanager
def s3_server() -> Iterator[str]:
    """Start moto's server on a free port and give its address."""
    command = [sys.executable, "-c", "from moto.server import main; main(['-H', '127.0.0.1', '-p', '0'])"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield _address(process)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _address(process: subprocess.Popen[str]) -> str:
    """Return the address that the server says it listens on, and go on reading what it says."""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stderr, selectors.EVENT_READ)
        said, until = "", time.monotonic() + _START_S
        while time.monotonic() < until and selector.select(1) is not None:
            assert process.poll() is None, f"the S3 server ended: {said}"
            said += process.stderr.readline()
            if found := re.search(r"http://127\.0\.0\.1:\d+", said):
                threading.Thread(target=process.stderr.read, daemon=True).start()
                return found[0]
    raise AssertionError(f"the S3 server did not start: {said}")


@dataclass
class Fault:
    """What is to happen to the next requests that fit."""

    what: What
    method: str
    path: str
    """Pattern that the path with its query is searched for."""
    times: int = 1
    status: int = 503
    code: str = "SlowDown"
    message: str = "Please reduce your request rate."
    seconds: float = 0.0
    n_met: int = 0


@dataclass
class Request:
    """What went through."""

    method: str
    path: str
    status: int
    n_sent: int
    """Bytes of the answer's body."""


@dataclass
class S3Proxy:
    """Passes requests on to a server, unless a fault was ordered for them; remembers all of them."""

    server: str
    faults: list[Fault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    deciding: threading.Lock = field(default_factory=threading.Lock)
    """moto looks whether an object is there, and writes it then; S3 does both at once."""
    url: str = ""

    def order(self, what: What, method: str, path: str, **more: object) -> Fault:
        """Have the next requests of that method, whose path fits, fail."""
        fault = Fault(what, method, path, **more)
        self.faults.append(fault)
        return fault

    def fault_of(self, method: str, path: str) -> Fault | None:
        """Return the fault that a request meets, once."""
        for fault in self.faults:
            if fault.n_met < fault.times and fault.method == method and re.search(fault.path, path):
                fault.n_met += 1
                return fault
        return None

    @contextmanager
    def running(self) -> Iterator[S3Proxy]:
        """Serve until the block ends."""
        methods = {f"do_{method}": _Handler.pass_on for method in ("GET", "PUT", "POST", "DELETE", "HEAD")}
        handler = type("Handler", (_Handler,), {"proxy": self, **methods})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()


class _Handler(BaseHTTPRequestHandler):
    proxy: S3Proxy
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (BrokenPipeError, ConnectionResetError):  # whoever asked has gone, as some faults want
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def pass_on(self) -> None:
        """Answer one request."""
        fault = self.proxy.fault_of(self.command, self.path)
        n_body = int(self.headers.get("Content-Length") or 0)
        if self.headers.get("Expect"):
            self.send_response_only(100)
            self.end_headers()
        if fault and fault.what == "cut upload":
            self.rfile.read(n_body // 2)
            self._hang_up()
            return
        body = self.rfile.read(n_body)
        if fault and fault.what == "stall":
            time.sleep(fault.seconds)
        if fault and fault.what == "answer":
            self._refuse(fault)
            return
        status, headers, answer = self._ask(body)
        if fault and fault.what == "lose answer":
            self._hang_up()
            return
        self._answer(status, headers, answer[: len(answer) // 2] if fault and fault.what == "cut download" else answer)
        if fault and fault.what == "cut download":
            self._hang_up()

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        address = urlsplit(self.proxy.server)
        upstream = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in {"host", "expect"}}
        with self.proxy.deciding if self.headers.get("If-None-Match") else nullcontext():
            upstream.request(self.command, self.path, body, {**headers, "Host": address.netloc})
            found = upstream.getresponse()
            answer = found.read()
        upstream.close()
        return found.status, found.getheaders(), answer

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        size = {name.lower(): value for name, value in headers}.get("content-length", "0")
        self.proxy.requests.append(Request(self.command, self.path, status, len(body)))
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _NOT_PASSED_ON:
                self.send_header(name, value)
        self.send_header("Content-Length", size)
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, fault: Fault) -> None:
        text = f"<Error><Code>{fault.code}</Code><Message>{fault.message}</Message></Error>".encode()
        body = b"" if self.command == "HEAD" else text
        self._answer(fault.status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))], body)

    def _hang_up(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(2)
