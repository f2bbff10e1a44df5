"""
The supervisor of ``otelq worker --processes``: starts worker processes, replaces them, and stops them all.

It imports nothing of the application. Its orders go through sockets and not by signals, which a terminal or systemd
would send to the processes a second time
(``docs/decisions/0032-orders-to-worker-processes-go-through-a-socket.md``).
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from ..logs import Log
from ..spawn import spawn
from ..worker import WorkerHealth
from .back_off import BackOff
from .health import combined
from .messages import ProcessFailure, ProcessReport
from .options import WorkerOptions
from .worker_process import WorkerProcess

logger = Log("otelq.cli")

CHECK_INTERVAL: Final = 0.5
"""Seconds between two comparisons of a process with its limits."""
REPORT_TIMEOUT: Final = 2.0
"""Seconds in which a process must report."""


class Limits(Struct, frozen=True, kw_only=True):
    """The limits at which a process is replaced; None for no limit."""

    jobs: int | None = None
    """Attempts that have ended."""
    memory: float | None = None
    """Megabytes."""

    @property
    def are_set(self) -> bool:
        """Return whether there is a limit."""
        return self.jobs is not None or self.memory is not None

    def reached_by(self, report: ProcessReport) -> str | None:
        """Return the limit that a process has reached, in words."""
        if self.jobs is not None and report.ended >= self.jobs:
            return f"it has run {report.ended} attempts"
        # Before its first attempt a new process would have as much.
        if self.memory is not None and report.ended > 0 and report.memory >= self.memory * 1e6:
            return f"it has {report.memory / 1e6:.0f} MB of memory"
        return None


class Supervisor:
    """
    Runs worker processes until a stop is requested.

    Args:
        options: the options of each process.
        processes: the number of processes.
        limits: when a process is replaced; the new one runs before the old one stops.
        reloads: ``reload`` will be called, so that a process which cannot start is worth waiting for.
    """

    def __init__(
        self, options: WorkerOptions, *, processes: int = 1, limits: Limits | None = None, reloads: bool = False
    ) -> None:
        self._options = options
        self._limits = limits or Limits()
        self._reloads = reloads
        self._current: dict[int, WorkerProcess | None] = dict.fromkeys(range(1, processes + 1))
        """The processes by their numbers, without those that were replaced."""
        self._running: set[WorkerProcess] = set()
        self._back_off = BackOff()
        loop = asyncio.get_running_loop()
        self._stop: Future[None] = loop.create_future()
        """Done when a stop is requested."""
        self._change: Future[None] = loop.create_future()
        """Done when a file has changed; then there is a new one for the next change."""
        self._replacement: Future[None] = loop.create_future()
        """Done while no process is replaced."""
        self._replacement.set_result(None)
        self._new_future = loop.create_future
        self._is_signalled = False
        self._has_started = False
        """A process has started, so the command line is right and the application can work."""
        self._failure: ProcessFailure | None = None
        """The error with which the command ends."""

    async def run(self) -> None:
        """
        Run the processes, until a stop is requested or none of them can work.

        Raises:
            click.UsageError: the command line or the application is wrong.
            OtelqError: the first process could not start, or a process failed as it stopped.
        """
        logger.info("supervises worker processes: %d", len(self._current))
        tasks = [spawn(self._supervise(number)) for number in self._current]
        _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        self.request_stop()  # unless it was: the system gives no further process
        while self._running:
            _ = await asyncio.wait([process.ended for process in self._running])
        for task in tasks:
            await task
        logger.info("all worker processes have ended")
        if self._failure is not None:
            raise self._failure.error

    # Orders

    def on_signal(self) -> None:
        """Stop gracefully at the first signal, and at once at the second."""
        self.request_stop(at_once=self._is_signalled)
        self._is_signalled = True

    def request_stop(self, *, at_once: bool = False) -> None:
        """Stop all processes."""
        if not self._stop.done():
            self._stop.set_result(None)
        for process in self._running:
            process.stop(at_once=at_once)

    def reload(self, files: Iterable[str]) -> None:
        """Replace all processes, as these files have changed."""
        names = ", ".join(sorted(Path(file).name for file in files))
        logger.info("%s changed; the workers start anew", names)
        change, self._change = self._change, self._new_future()
        change.set_result(None)

    # One process, and those that follow it under its number

    async def _supervise(self, number: int) -> None:
        change = self._change
        process = await self._start(number)
        while not self._stop.done():
            self._current[number] = process
            limit = await self._until_limit(process, change)
            if self._stop.done():
                return
            if limit is not None:
                process = await self._replace(process, number, change, limit=limit)
                continue
            if change.done():
                process.stop()
            else:
                await self._pause_after_end(process, number, change)
            change = self._change
            if not self._stop.done():
                process = await self._start(number)

    async def _start(self, number: int) -> WorkerProcess:
        name = self._options.name
        if name is not None and len(self._current) > 1:
            name = f"{name}-{number}"
        process = await WorkerProcess.start(replace(self._options, name=name))
        self._running.add(process)
        process.ended.add_done_callback(lambda _: self._on_end(process))
        if self._stop.done():
            process.stop()
        return process

    def _on_end(self, process: WorkerProcess) -> None:
        self._running.discard(process)
        self._has_started = self._has_started or process.has_started
        if self._stop.done():
            self._failure = self._failure or process.failure

    async def _until_limit(self, process: WorkerProcess, change: Future[None]) -> str | None:
        """Return the limit that a process has reached; None once it has ended, a file has changed, or all stop."""
        while not process.has_ended and not change.done():
            await self._wait([process.ended, change], timeout=CHECK_INTERVAL if self._limits.are_set else None)
            if self._stop.done():
                return None
            report = await process.ask(REPORT_TIMEOUT) if self._limits.are_set and process.has_started else None
            if report is not None and (limit := self._limits.reached_by(report)):
                return limit
        return None

    async def _replace(self, process: WorkerProcess, number: int, change: Future[None], *, limit: str) -> WorkerProcess:
        """Return the successor of a process, which stops once that runs; the process itself if that cannot run."""
        while not self._replacement.done():  # one at a time, until the old one has ended
            await self._wait([self._replacement, process.ended, change])
            if process.has_ended or change.done() or self._stop.done():
                return process
        self._replacement = replacement = self._new_future()
        logger.info("worker process %d (pid %d) is replaced: %s", number, process.pid, limit)
        successor = await self._start(number)
        await self._wait([successor.started, successor.ended])
        if successor.has_started:
            process.ended.add_done_callback(lambda _: replacement.set_result(None))
            process.stop()
            return successor
        replacement.set_result(None)
        if not self._stop.done():
            await self._pause_after_end(successor, number, change)
        return process

    async def _pause_after_end(self, process: WorkerProcess, number: int, change: Future[None]) -> None:
        """Pause before the next start; or stop everything, if that start would fail too."""
        failure = process.failure
        if self._reloads and not process.has_started:
            logger.error("%s; waiting for a file to change", failure.problem if failure else f"a process {process.end}")
            return await self._wait([change])
        if failure is not None and (failure.is_permanent or not self._any_has_started):
            self._failure = failure
            return self.request_stop()
        pause = self._back_off.pause(asyncio.get_running_loop().time())
        log = logger.warning if pause.is_new else logger.debug
        reason = f"{process.end}: {failure.problem}" if failure else process.end
        log("worker process %d (pid %d) %s; a new one starts in %.1f s", number, process.pid, reason, pause.seconds)
        await self._wait([change], timeout=pause.seconds)

    @property
    def _any_has_started(self) -> bool:
        return self._has_started or any(process.has_started for process in self._running)

    async def _wait(self, futures: Sequence[Future[Any]], *, timeout: float | None = None) -> None:
        """Wait for the first of these futures, or a stop."""
        _ = await asyncio.wait([*futures, self._stop], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)

    # Health

    async def health(self) -> WorkerHealth:
        """Return the health of all processes."""
        if self._stop.done():
            return WorkerHealth(ready=False, problem="it is stopping")
        reports = {number: spawn(self._health_of(number)) for number in self._current}
        _ = await asyncio.wait(reports.values())
        return combined(report.result() for report in reports.values())

    async def _health_of(self, number: int) -> WorkerHealth:
        process = self._current[number]
        report = await process.ask(REPORT_TIMEOUT) if process else None
        if report is not None:
            problem = f"process {number}: {report.problem}" if report.problem else ""
            return WorkerHealth(live=report.live, ready=report.ready, problem=problem)
        if process is None or process.has_ended:
            return WorkerHealth(ready=False, problem=f"process {number} is starting")
        return WorkerHealth(live=False, ready=False, problem=f"process {number} does not answer")
