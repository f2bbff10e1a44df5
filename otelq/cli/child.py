"""
The main program of a worker process: runs workers for the supervisor that started it.

A thread reads the supervisor's messages and answers them, also while a handler blocks the event loop. When the
supervisor ends, even by SIGKILL, its end of the socket closes, and the process stops gracefully by itself. Signals
stop it gracefully too, however many come: a terminal and systemd send them to every process of a group, besides those
that the supervisor passes on.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import click

from ..errors import OtelqError
from .log import log_to_stderr
from .memory import resident_memory
from .messages import (
    Answer,
    ProcessFailure,
    ProcessReport,
    ReportRequest,
    StartRequest,
    StopRequest,
    WorkersStarted,
    encode,
    read_order,
)
from .runner import Runner
from .targets import load_targets

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STALLED = 60.0
"""Seconds that a process without a supervisor may take to stop before its workers run."""


class Child:
    """The process, as its supervisor sees it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._orders = connection.makefile("rb")
        self._sending = threading.Lock()
        self._starting = threading.RLock()  # a signal handler may interrupt its own thread inside of it
        self._loop: asyncio.AbstractEventLoop | None = None
        self._runner: Runner | None = None
        self._stop: StopRequest | None = None
        """The stop that was asked for."""

    def run(self) -> int:
        """Run the workers of the first message until a stop; return the exit code."""
        begin = read_order(self._orders.readline())
        assert isinstance(begin, StartRequest)
        log_to_stderr(begin.options.log_level)
        threading.Thread(target=self._follow_orders, name="otelq supervisor", daemon=True).start()
        for number in STOP_SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)
        try:
            runner = Runner(load_targets(begin.options.targets), begin.options)
            asyncio.run(self._run(runner))
        except (click.UsageError, OtelqError) as error:
            failed = ProcessFailure.by(error)
            self._send(failed)
            return failed.exit_code
        return 0

    async def _run(self, runner: Runner) -> None:
        with self._starting:  # a stop comes either before, and is applied here, or after, and finds the runner
            self._loop, self._runner = asyncio.get_running_loop(), runner
            stop = self._stop
        if stop is not None:
            self._apply(stop)
        await runner.run(on_start=lambda: self._send(WorkersStarted(runner.patience)))

    def _follow_orders(self) -> None:
        with suppress(OSError):
            for order in map(read_order, self._orders):
                if isinstance(order, ReportRequest):
                    self._send(self._report(order.number))
                elif isinstance(order, StopRequest):
                    self._request(order)
        self._request(StopRequest())  # the supervisor has ended
        time.sleep(self._runner.patience if self._runner else STALLED)
        os._exit(1)  # a handler blocks the event loop for ever, and there is no supervisor any more to end the process

    def _report(self, number: int) -> ProcessReport:
        runner = self._runner
        if runner is None:
            problem, memory = "it is starting", resident_memory()
            return ProcessReport(number=number, live=True, ready=False, problem=problem, ended=0, memory=memory)
        health = runner.health
        return ProcessReport(
            number=number,
            live=health.live,
            ready=health.ready,
            problem=health.problem,
            ended=runner.ended,
            memory=resident_memory(),
        )

    def _on_signal(self, number: int, frame: object) -> None:
        self._request(StopRequest())

    def _request(self, stop: StopRequest) -> None:
        with self._starting:
            self._stop = stop if self._stop is None or stop.at_once else self._stop
            loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # the event loop is closed: it has stopped
                loop.call_soon_threadsafe(self._apply, stop)

    def _apply(self, stop: StopRequest) -> None:
        assert self._runner is not None
        act: Callable[[], None] = self._runner.stop_at_once if stop.at_once else self._runner.request_stop
        act()

    def _send(self, answer: Answer) -> None:
        with self._sending, suppress(OSError):
            self._connection.sendall(encode(answer))


def main() -> NoReturn:
    """Run the process; its only argument is the number of the socket that leads to its supervisor."""
    connection = socket.socket(fileno=int(sys.argv.pop(1)))
    connection.set_inheritable(False)  # else a process of a handler would keep it open after this one
    sys.exit(Child(connection).run())
