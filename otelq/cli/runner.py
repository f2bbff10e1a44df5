"""Opens the workers of a command line, runs them in one event loop until a stop is requested, and closes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Any

import click

from ..definitions import Jobs
from ..logs import Log
from ..spawn import spawn
from ..worker import Worker, WorkerHealth, default_name
from .database import client_of, is_for_one_process
from .factories import made_by
from .health import combined
from .options import WorkerOptions
from .redaction import redact
from .targets import Target

logger = Log("otelq.cli")

SCHEMA = "otelq"
CLOSING = 10.0
"""Seconds for factories and clients to close, once their workers have stopped."""


class Runner:
    """One run of the workers of a command line."""

    def __init__(self, targets: Sequence[Target], options: WorkerOptions) -> None:
        _check(targets, options)
        self._targets = targets
        self._options = options
        self._task: asyncio.Task[object] | None = None
        self._workers: Sequence[Worker] = ()
        """The workers that run, from the start of the first to the end of the last."""
        self._starting = 0
        """The number of workers that have not started yet."""
        self._stop_requested = asyncio.Event()
        self._is_signalled = False
        self._error: BaseException | None = None
        """The error of a worker that could not go on."""

    async def run(self, *, on_start: Callable[[], None] | None = None) -> None:
        """
        Run the workers until a stop is requested, or one of them cannot go on; then the others stop gracefully.

        Args:
            on_start: called once all of them run.

        Raises:
            click.UsageError: a target makes no worker, or the options do not fit it.
            OtelqError: the database cannot be used, or a worker could not go on.
        """
        self._task = asyncio.current_task()
        try:
            async with AsyncExitStack() as stack:
                if not self._stop_requested.is_set():
                    await self._run_workers(await self._open(stack), on_start)
        except asyncio.CancelledError:
            if not self._stop_requested.is_set():
                raise
            if self._error is not None:
                raise self._error from None

    def request_stop(self) -> None:
        """Stop gracefully. Before the workers run, cancel what is being opened."""
        if not self._stop_requested.is_set():
            self._stop_requested.set()
            self._cancel_unless_running()

    def stop_at_once(self) -> None:
        """Stop, and cancel the running attempts; while nothing runs, cancel what is being opened or closed."""
        self._stop_requested.set()
        self._cancel_unless_running()
        for worker in self._workers:
            worker.skip_grace()

    def on_signal(self) -> None:
        """Stop gracefully at the first signal, and at once at the second."""
        stop = self.stop_at_once if self._is_signalled else self.request_stop
        self._is_signalled = True
        stop()

    @property
    def health(self) -> WorkerHealth:
        """Return the health of all workers; any thread may ask."""
        if self._workers:
            return combined(worker.health for worker in self._workers)
        return WorkerHealth(
            ready=False, problem="it is stopping" if self._stop_requested.is_set() else "it is starting"
        )

    @property
    def ended(self) -> int:
        """Return the number of attempts that have ended."""
        return sum(worker.ended for worker in self._workers)

    @property
    def patience(self) -> float:
        """Return the seconds that the workers may take to stop."""
        return max((worker.longest_stop for worker in self._workers), default=0.0) + CLOSING

    def _cancel_unless_running(self) -> None:
        if not self._workers and self._task is not None:
            self._task.cancel()

    async def _open(self, stack: AsyncExitStack) -> list[Worker]:
        # All workers are made before a client is opened: a wrong option raises before the schema is migrated.
        workers = [await self._make(target, stack) for target in self._targets if not isinstance(target.value, Jobs)]
        if collections := _collections(self._targets):
            workers.append(await self._make_for(collections, stack))
        if self._options.name is not None and len(workers) > 1:
            raise click.UsageError(f"--name names one worker, and there are {len(workers)}")
        for worker in workers:
            if not worker.client.is_open:
                _ = await stack.enter_async_context(worker.client)
        return workers

    async def _make(self, target: Target, stack: AsyncExitStack) -> Worker:
        found = target.value
        if not isinstance(found, Worker):
            assert not isinstance(found, Jobs)
            found = await stack.enter_async_context(made_by(found, path=target.path))
        overrides = self._options.overrides
        return found.override(**overrides) if overrides else found

    async def _make_for(self, collections: Sequence[Jobs], stack: AsyncExitStack) -> Worker:
        """Make one worker for all collections, with a client for the URL."""
        options = self._options
        assert options.url is not None
        name = options.name or default_name()
        client = await stack.enter_async_context(
            client_of(options.url, schema=options.schema or SCHEMA, application=f"otelq worker {name}")
        )
        given: dict[str, Any] = {"name": name, **options.overrides}
        return Worker(client, *collections, **given)

    async def _run_workers(self, workers: Sequence[Worker], on_start: Callable[[], None] | None) -> None:
        self._workers = workers
        self._starting = len(workers)
        tasks = [spawn(self._serve(worker, on_start), name=f"otelq {worker.name}") for worker in workers]
        try:
            _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            self._stop_requested.set()
            _ = await asyncio.wait(tasks)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            _ = await asyncio.wait(tasks)  # before their clients are closed
            raise
        finally:
            self._workers = ()
        self._error = next((error for task in tasks if (error := task.exception())), None)
        if self._error is not None:
            raise self._error

    async def _serve(self, worker: Worker, on_start: Callable[[], None] | None) -> None:
        async with worker:
            self._starting -= 1
            if self._starting == 0:
                self._log_start()
                if on_start is not None:
                    on_start()
            _ = await self._stop_requested.wait()

    def _log_start(self) -> None:
        targets = ", ".join(target.path for target in self._targets)
        database = f" on {redact(self._options.url)}" if self._options.url and _collections(self._targets) else ""
        logger.info("otelq %s runs %s%s", version("otelq"), targets, database)


def _collections(targets: Sequence[Target]) -> list[Jobs]:
    return [target.value for target in targets if isinstance(target.value, Jobs)]


def _check(targets: Sequence[Target], options: WorkerOptions) -> None:
    """Raise for options that do not fit the targets."""
    if not _collections(targets):
        for option, given in (("--url", options.is_url_given), ("--schema", options.schema is not None)):
            if given:
                raise click.UsageError(
                    f"{option} is for collections of jobs; {targets[0].path} has a client of its own"
                )
    elif options.url is None:
        raise click.UsageError("a collection of jobs has no database; give --url, or set OTELQ_URL")
    elif is_for_one_process(options.url):
        raise click.UsageError(f"{options.url} is private to one process, so this worker would never find a job")
