"""The answers to health probes: ``GET /live`` and ``GET /ready``, from a thread of their own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, NamedTuple

import click
from msgspec import json

from ..errors import OtelqError
from ..logs import Log
from ..texts import line
from ..worker import WorkerHealth
from .redaction import redact

logger = Log("otelq.cli")

TIMEOUT: Final = 5.0
"""Seconds in which a client must send its request."""


class Address(NamedTuple):
    """The address that answers probes; an empty host is every address of the machine."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if host else f"port {self.port}"


def parse_address(context: click.Context, option: click.Parameter, text: str | None) -> Address | None:
    """
    Return the address in an option of the form ``[HOST:]PORT``.

    Raises:
        click.BadParameter: it has another form.
    """
    if text is None:
        return None
    host, _, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not (port.isascii() and port.isdigit() and int(port) < 1 << 16) or (":" in bare and bare == host):
        raise click.BadParameter(f"{text!r} is no [HOST:]PORT; give one such as 8080, with a port up to 65535")
    return Address(bare, int(port))


def combined(parts: Iterable[WorkerHealth]) -> WorkerHealth:
    """Return the health of a whole, which is live and ready only if every part is."""
    found = list(parts)
    problems = dict.fromkeys(part.problem for part in found if part.problem)
    return WorkerHealth(all(part.live for part in found), all(part.ready for part in found), "; ".join(problems))


@contextmanager
def answering(address: Address, health: Callable[[], WorkerHealth]) -> Generator[Address]:
    """
    Answer probes while the block runs, with the health of that moment. Yield the address, with its port.

    The thread is not that of the handlers: a handler that blocks the event loop for a while makes no probe fail.

    Raises:
        OtelqError: the address cannot be used.
    """
    listener = _listen(address)
    server = _ProbeServer(listener, health)
    thread = threading.Thread(target=server.serve_forever, name="otelq health", daemon=True)
    thread.start()
    try:
        bound = Address(address.host, listener.getsockname()[1])
        logger.info("health is answered at %s, /live and /ready", bound)
        yield bound
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _listen(address: Address) -> socket.socket:
    both = not address.host and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both or ":" in address.host else socket.AF_INET
    try:
        return socket.create_server(address, family=family, dualstack_ipv6=both)
    except OSError as error:
        raise OtelqError(f"cannot answer health probes at {address}: {error.strerror or error}") from error


class _ProbeServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, listener: socket.socket, health: Callable[[], WorkerHealth]) -> None:
        super().__init__(listener.getsockname()[:2], _ProbeHandler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.health = health

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a client that went away."""


class _ProbeHandler(BaseHTTPRequestHandler):
    timeout = TIMEOUT
    server_version = "otelq"
    sys_version = ""

    def do_GET(self) -> None:
        assert isinstance(self.server, _ProbeServer)
        health = self.server.health()
        passed = {"/live": health.live, "/ready": health.ready}.get(self.path.partition("?")[0])
        if passed is None:
            return self._send(HTTPStatus.NOT_FOUND, {"error": "there are /live and /ready"})
        status = HTTPStatus.OK if passed else HTTPStatus.SERVICE_UNAVAILABLE
        self._send(status, {"live": health.live, "ready": health.ready, "why": redact(line(health.problem))})

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Log no request: probes come every few seconds."""

    def _send(self, status: HTTPStatus, answer: dict[str, object]) -> None:
        body = json.encode(answer) + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
