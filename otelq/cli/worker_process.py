"""The supervisor's side of a worker process: starts it, asks it for reports, stops it."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from contextlib import suppress
from itertools import count
from typing import Final

from ..errors import OtelqError
from ..logs import Log
from ..spawn import spawn
from .messages import (
    Order,
    ProcessFailure,
    ProcessReport,
    ReportRequest,
    StartRequest,
    StopRequest,
    WorkersStarted,
    encode,
    read_answer,
)
from .options import WorkerOptions

logger = Log("otelq.cli")

START_TIMEOUT: Final = 30.0
"""Seconds in which a process that has not started yet must stop; then it is killed."""
LAST_MESSAGE: Final = 0.5
"""Seconds in which the last message of a process that has ended must arrive."""
_PROGRAM: Final = "import sys; sys.path[:] = sys.argv[2:]; del sys.argv[2:]; from otelq.cli.child import main; main()"


class WorkerProcess:
    """One process, from its start to its end."""

    def __init__(self, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._numbers = count(1)
        self._reports: dict[int, asyncio.Future[ProcessReport | None]] = {}
        self._patience = START_TIMEOUT
        self._killing: asyncio.TimerHandle | None = None
        self.started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when all workers of the process run."""
        self.failure: ProcessFailure | None = None
        """The error that the process reported before it ended."""
        self.ended = spawn(self._follow(), name=f"otelq worker process {process.pid}")

    @classmethod
    async def start(cls, options: WorkerOptions) -> WorkerProcess:
        """Start a process with the import path of this one. Its options go through a socket: they hold a password."""
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-c", _PROGRAM, str(theirs.fileno()), *sys.path]
            try:
                process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, pass_fds=[theirs.fileno()])
            except OSError as error:
                ours.close()
                raise OtelqError(f"cannot start a process: {error.strerror}") from error
        made = cls(process, *await asyncio.open_unix_connection(sock=ours))
        made._send(StartRequest(options))
        return made

    @property
    def pid(self) -> int:
        """Return the id of the process."""
        return self._process.pid

    @property
    def has_started(self) -> bool:
        """Return whether the workers of the process ran at some time."""
        return self.started.done()

    @property
    def has_ended(self) -> bool:
        """Return whether the process has ended."""
        return self.ended.done()

    @property
    def end(self) -> str:
        """Return how the process ended."""
        code = self._process.returncode or 0
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    async def ask(self, timeout: float) -> ProcessReport | None:
        """Return a report; None if none comes in time."""
        if self.has_ended:
            return None
        number = next(self._numbers)
        answer: asyncio.Future[ProcessReport | None] = asyncio.get_running_loop().create_future()
        self._reports[number] = answer
        self._send(ReportRequest(number))
        try:
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            return None
        finally:
            del self._reports[number]

    def stop(self, *, at_once: bool = False) -> None:
        """Stop gracefully, or at once. A process that takes longer than its workers may is killed."""
        self._send(StopRequest(at_once))
        if self._killing is None and not self.has_ended:
            self._kill_later()

    async def _follow(self) -> None:
        """Wait until the process has ended; meanwhile read what it sends."""
        reading = spawn(self._read(), name=f"otelq messages of {self.pid}")
        _ = await self._process.wait()
        # Its last message may be on its way. There may be no end of file: a process that a handler has forked, and that
        # lives on, holds the socket too.
        _ = await asyncio.wait([reading], timeout=LAST_MESSAGE)
        reading.cancel()
        if self._killing is not None:
            self._killing.cancel()
        for waiting in [report for report in self._reports.values() if not report.done()]:
            waiting.set_result(None)
        self._writer.close()

    async def _read(self) -> None:
        with suppress(OSError, ValueError):  # a line that is cut off, or no message
            async for line in self._reader:
                self._on_answer(line)

    def _on_answer(self, line: bytes) -> None:
        match read_answer(line):
            case WorkersStarted(patience):
                self._patience = patience
                self.started.set_result(None)
                if self._killing is not None:  # it was asked to stop as its workers started, and has attempts now
                    self._killing.cancel()
                    self._kill_later()
            case ProcessReport() as report:
                if (waiting := self._reports.get(report.number)) is not None and not waiting.done():
                    waiting.set_result(report)
            case ProcessFailure() as failure:
                self.failure = failure

    def _send(self, order: Order) -> None:
        if not self._writer.is_closing():
            self._writer.write(encode(order))

    def _kill_later(self) -> None:
        self._killing = asyncio.get_running_loop().call_later(self._patience, self._kill)

    def _kill(self) -> None:
        logger.warning("worker process (pid %d) has not stopped after %g s; it is killed", self.pid, self._patience)
        with suppress(ProcessLookupError):
            self._process.kill()
