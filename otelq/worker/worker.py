"""The worker: checks its options, runs until it is stopped, and raises when one of its loops gives up."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from ..client import Client
from ..codec import check_line
from ..definitions import Definition, Jobs, Middleware, check_count, check_middleware, check_seconds, merge
from ..errors import InvalidArgument, OtelqError
from .context import Provided, WorkerContext
from .executors import check_required
from .health import WorkerHealth
from .process_pool import check_importable
from .queues import check_queues, in_queues
from .run import LAST_WRITES, WorkerRun
from .signals import signals


class Worker:
    """
    Claim due jobs and run their handlers: ``async with otelq.Worker(client, jobs): ...``, or ``await worker.run()``.

    A handler runs at least once: it runs again if the worker dies before the outcome is stored. Leaving the block stops
    the worker gracefully.

    Args:
        client: an open client.
        jobs: the collections of handlers to serve.
        concurrency: the number of attempts that run at once, 1 or more.
        poll_interval: the longest time in seconds, 0.01 or more, between two searches for due jobs if no hint arrives;
            None is 30 while hints of other processes arrive, and else 2.
        grace: seconds, 0 or more, that running attempts have to finish when the worker stops; then they are cancelled,
            and have as long again before they are abandoned. Attempts that are cancelled for other reasons have the
            latter too.
        provide: objects that handlers get by their type with ``attempt.get``.
        name: the worker's name where leases are shown, up to 200 characters; None for a unique one.
        reap_interval: seconds, 0.01 or more, between two searches for leases that ran out; None is to search when the
            next one runs out, and after 15 seconds at most.
        max_crashes: a job fails when this many of its leases ran out after an attempt had started, 1 or more.
        middleware: runs around the attempts of all collections, outside their own; the outermost first.
        require_middleware: instances that every collection must have in its own middleware, in this order.
        queues: serve only the job types of these queues; None for all of them.
        undecodable_for: seconds, 0 or more, for which a job is tried again if its input or the output of a blocker does
            not decode, as long as not all workers of a deploy are new; then it fails. No attempt is spent meanwhile.

    Raises:
        InvalidArgument: an option is out of range, a job type is declared twice or has types that cannot be stored, a
            collection lacks the required middleware, a queue has no job type, or a handler for a process cannot be
            imported there.
    """

    def __init__(
        self,
        client: Client,
        *jobs: Jobs,
        concurrency: int = 10,
        poll_interval: float | None = None,
        grace: float = 30.0,
        provide: Sequence[object] = (),
        name: str | None = None,
        reap_interval: float | None = None,
        max_crashes: int = 5,
        middleware: Sequence[Middleware] = (),
        require_middleware: Sequence[Middleware] = (),
        queues: Sequence[str] | None = None,
        undecodable_for: float = 600.0,
    ) -> None:
        if not isinstance(client, Client):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise InvalidArgument("client", f"is {client!r}; give an open client, made with otelq.connect(...)")
        check_count("concurrency", concurrency)
        check_count("max_crashes", max_crashes)
        definitions = merge(jobs)
        if not definitions:
            raise InvalidArgument("jobs", "is empty; give collections with handlers")
        served_queues = check_queues(queues)
        definitions = in_queues(definitions, served_queues)
        for definition in definitions.values():
            _check(definition)
        outer = check_middleware("middleware", middleware)
        check_required(check_middleware("require_middleware", require_middleware), jobs)
        check_seconds("grace", grace)
        check_seconds("undecodable_for", undecodable_for)
        if poll_interval is not None:
            check_seconds("poll_interval", poll_interval, lowest=0.01)
        if reap_interval is not None:
            check_seconds("reap_interval", reap_interval, lowest=0.01)
        provided = Provided(provide)
        worker_name = default_name() if name is None else check_line(name, argument="name", longest=200)
        self._make_context: Callable[[], WorkerContext] = lambda: WorkerContext(
            client=client,
            engine=client.engine,
            definitions=definitions,
            queues=served_queues,
            middleware=outer,
            provided=provided,
            name=worker_name,
            give_up=self._give_up,
            concurrency=concurrency,
            grace=grace,
            poll_interval=poll_interval,
            reap_interval=reap_interval,
            max_crashes=max_crashes,
            undecodable_for=undecodable_for,
        )
        self._client = client
        self._jobs = jobs
        self._options: dict[str, Any] = {
            "concurrency": concurrency,
            "poll_interval": poll_interval,
            "grace": grace,
            "provide": tuple(provide),
            "name": worker_name,
            "reap_interval": reap_interval,
            "max_crashes": max_crashes,
            "middleware": middleware,
            "require_middleware": require_middleware,
            "queues": queues,
            "undecodable_for": undecodable_for,
        }
        self._current: WorkerRun | None = None
        self._owner: asyncio.Task[object] | None = None
        self._fatal: Exception | KeyboardInterrupt | None = None

    def override(
        self,
        *,
        concurrency: int | None = None,
        poll_interval: float | None = None,
        grace: float | None = None,
        name: str | None = None,
        queues: Sequence[str] | None = None,
    ) -> Self:
        """
        Return a worker like this one with other options, as ``otelq worker`` does for its command line.

        Args:
            concurrency: as above; None for that of this worker, here and below.
            poll_interval: as above.
            grace: as above.
            name: as above.
            queues: as above.

        Raises:
            InvalidArgument: an option is out of range, or a queue has no job type.
        """
        given: dict[str, Any] = {
            "concurrency": concurrency,
            "poll_interval": poll_interval,
            "grace": grace,
            "name": name,
            "queues": queues,
        }
        changed = {option: value for option, value in given.items() if value is not None}
        return type(self)(self._client, *self._jobs, **(self._options | changed))

    @property
    def client(self) -> Client:
        """Return the client whose jobs it runs."""
        return self._client

    @property
    def name(self) -> str:
        """Return the name of the worker, as leases show it."""
        return str(self._options["name"])

    @property
    def longest_stop(self) -> float:
        """Return the seconds that a graceful stop may take: twice the grace, and some for the last outcomes."""
        return 2 * float(self._options["grace"]) + LAST_WRITES

    @property
    def is_running(self) -> bool:
        """Return whether its block was entered and has not ended."""
        return self._current is not None

    @property
    def health(self) -> WorkerHealth:
        """Return whether it works, and if not, the reason. Any thread may ask, also while the event loop is blocked."""
        return self._current.health() if self._current else WorkerHealth(ready=False, problem="it does not run")

    @property
    def ended(self) -> int:
        """Return the number of attempts that have ended since it started."""
        return sum(self._current.context.ended.values()) if self._current else 0

    @property
    def leaked(self) -> int:
        """Return the number of slots that are held by handlers which ignored their cancellation."""
        return self._current.slots.leaked if self._current else 0

    async def __aenter__(self) -> Self:
        if self._current is not None:
            raise OtelqError("the worker is running already")
        self._fatal = None
        self._owner = asyncio.current_task()
        self._current = WorkerRun(self._make_context(), on_fatal=self._give_up)
        self._current.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        owner, self._owner = self._owner, None
        if owner is not None and self._fatal is not None:
            # The worker cancelled the block itself. Without this, a timeout or task group around it would see a cancel
            # that nobody else asked for.
            owner.uncancel()
        if self._current is not None:
            try:
                await self._current.stop()
            finally:
                self._current = None
        if isinstance(self._fatal, KeyboardInterrupt):
            raise self._fatal
        if self._fatal is not None:
            raise OtelqError(f"the worker could not go on: {self._fatal}") from self._fatal

    async def run(self) -> None:
        """
        Run jobs until SIGINT, SIGTERM or SIGHUP, then stop gracefully; a second signal cancels the running attempts.

        Signals that the process ignores stay ignored, and a handler of the application for SIGHUP stays in use. The
        handlers are restored at the end. Signals reach the main thread only: in another one, cancel the task to stop.

        Raises:
            OtelqError: a loop of the worker could not recover.
        """
        requested = asyncio.Event()

        def stop() -> None:
            if requested.is_set():
                self.skip_grace()
            requested.set()

        with signals(stop):  # from before the first claim until the last outcome is stored
            async with self:
                await requested.wait()

    def skip_grace(self) -> None:
        """Stop without grace: cancel the attempts at once when the worker stops, or now. Their jobs go back."""
        if self._current is not None:
            self._current.skip_grace()

    def _give_up(self, error: Exception | KeyboardInterrupt) -> None:
        # Cancelling the owner ends the `async with` block; `__aexit__` turns the cancel into the error. Once is enough.
        if self._fatal is None and self._owner is not None:
            self._owner.cancel()
        self._fatal = self._fatal or error


def _check(definition: Definition) -> None:
    """Raise for a wrong declaration when the worker is made, not at its first job."""
    _ = definition.job_type.signature  # built at first use; raises for types that cannot be stored
    if definition.executor == "process":
        check_importable(definition)


def default_name() -> str:
    """Return a unique name that contains the host name and the process id."""
    return f"{socket.gethostname()[:100]}:{os.getpid()}:{secrets.token_hex(3)}"
