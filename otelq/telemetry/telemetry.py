"""The interface to telemetry: each client has one ``Telemetry`` and records events with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import NoOpTracer, Tracer, TracerProvider

from ..model import Claimed, Transition
from . import names, transition_spans
from .exceptions import Exceptions, qualified_name
from .guards import harmless
from .metrics import Registry, registry_for
from .names import CounterName, Operation
from .spans import AttemptSpan, Enqueue, start_attempt, start_enqueue
from .stored_context import Silence, StoredContext
from .trace_position import TraceMode
from .tracing import Tracing

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider

X = TypeVar("X", Claimed, Transition)


class Telemetry:
    """
    Records the spans and metrics of one client. It never raises because of an SDK, and never waits.

    Args:
        tracer_provider: the provider for spans; None for the global one, also if that is set later.
        meter_provider: the provider for metrics; None likewise.
        logger_provider: the provider for exceptions as log records, if the environment asks for these; None likewise.
        system: the database, as ``db.system.name`` shows it.
        trace_internal_sql: True lets instrumentations of drivers record otelq's own statements.
        baggage: names of the baggage entries that jobs carry from their callers to their handlers.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        system: str = "postgresql",
        trace_internal_sql: bool = False,
        baggage: Sequence[str] = (),
    ) -> None:
        self._tracer_provider = tracer_provider
        self._meter_provider = meter_provider
        self._logger_provider = logger_provider
        self._system = system
        self._trace_internal_sql = trace_internal_sql
        self._baggage = tuple(baggage)
        self._active: dict[str, int] = {}
        self._capacity = 0
        self._listener: Callable[[], bool | None] | None = None
        self._present_names: dict[str, str] = {}
        """The present names of job types, by their aliases."""
        self.open()

    def open(self) -> None:
        """Get the instruments and the tracer from the providers; totals of an earlier ``open`` stay."""
        library_version = installed_version()
        self._registry: Registry = registry_for(self._meter_provider, version=library_version)
        self._tracing = Tracing(
            self._tracer(library_version),
            registry=self._registry,
            exceptions=Exceptions(self._logger_provider, version=library_version),
            baggage=self._baggage,
        )

    def _tracer(self, library_version: str) -> Tracer:
        try:
            return trace.get_tracer(names.SCOPE, library_version, self._tracer_provider, names.SCHEMA_URL)
        except Exception as error:
            self._registry.record_failure("a tracer provider, which was to give a tracer,", error)
            return NoOpTracer()

    @property
    def registry(self) -> Registry:
        """Return the registry in which losses are counted."""
        return self._registry

    @harmless
    def close(self) -> None:
        """Subtract this client's attempts and slots from the gauges; its totals stay. Closing twice is fine."""
        # The gauges belong to all clients of the provider; attempts that were abandoned may still be counted here.
        for type, count in self._active.items():
            self._registry.of(type).active -= count
        self._active.clear()
        self.add_capacity(-self._capacity)
        if self._listener is not None:
            self._registry.listeners.remove(self._listener)
            self._listener = None

    def show_aliases(self, aliases: Iterable[str], *, of: str) -> None:
        """Show jobs and chains that are stored under these names under the present name of their type from now on."""
        self._present_names.update(dict.fromkeys(aliases, of))

    def silence(self) -> AbstractContextManager[None]:
        """Return a context manager for otelq's own SQL, in which instrumentations record nothing."""
        return nullcontext() if self._trace_internal_sql else Silence()

    def enqueue(
        self,
        *,
        type: str | None,
        queue: str | None = None,
        chain_id: str | None = None,
        position: int | None = None,
        delay: float | None = None,
        batch: int | None = None,
        parent: StoredContext | None = None,
    ) -> Enqueue:
        """
        Start the span of a start, under the caller's current span.

        ``batch`` is the number of jobs that one call starts, which share the span and its stored context; ``chain_id``
        is None then. ``parent`` is the stored context of a job that is continued without a worker: the chain stays in
        its trace.
        """
        return start_enqueue(
            self._tracing,
            type,
            queue=queue,
            chain_id=chain_id,
            position=position,
            delay=delay,
            batch=batch,
            parent=parent,
        )

    def read_stored_context(self, text: str | None) -> StoredContext | None:
        """Return a stored context for ``enqueue(parent=)``; None without text, or if it is damaged."""
        return self._tracing.read(text)

    def attempt(self, job: Claimed, *, worker: str, mode: TraceMode = "auto") -> AttemptSpan:
        """Start the span of an attempt that is about to run."""
        [job] = self._shown([job])
        return start_attempt(self._tracing, job, worker=worker, mode=mode)

    @harmless
    def record_claim(self, jobs: Sequence[Claimed], *, started_ns: int, worker: str) -> None:
        """Record the span and the duration of a claim; nothing if it returned no jobs."""
        if not jobs:
            return
        ended_ns = time.time_ns()
        jobs = self._shown(jobs)
        transition_spans.record_claim(self._tracing, jobs, started_ns=started_ns, ended_ns=ended_ns, worker=worker)
        self.record_operation(Operation.CLAIM, (ended_ns - started_ns) / 1e9)

    @harmless
    def record_settlement(
        self,
        operation: str,
        attempts: Sequence[str | None],
        *,
        started_ns: int,
        ended_ns: int,
        count: int,
        type: str | None = None,
        error: BaseException | None = None,
    ) -> None:
        """
        Record the span and the duration of a statement that settled ``count`` attempts.

        ``attempts`` are their stored contexts, for links; ``type`` is their job type if they have one in common.
        """
        transition_spans.record_settlement(
            self._tracing,
            Operation(operation),
            attempts,
            type=type,
            started_ns=started_ns,
            ended_ns=ended_ns,
            count=count,
            error=error,
        )
        self.record_operation(operation, (ended_ns - started_ns) / 1e9, qualified_name(error) if error else None)

    def record_transitions(self, transitions: Sequence[Transition]) -> None:
        """Count and measure committed transitions; write spans for those without an ``enqueue`` or ``process`` span."""
        # A `try` instead of `harmless`, whose wrapper would cost too much for each commit.
        try:
            transitions = self._shown(transitions)
            if self._registry.record_transitions(transitions):
                transition_spans.record_transitions(self._tracing, transitions)
        except Exception as error:
            self._registry.record_failure("recording transitions", error)

    def _shown(self, items: Sequence[X]) -> Sequence[X]:
        """Return these with the present names of their types."""
        present = self._present_names
        if not present:
            return items
        return [
            replace(one, type=present.get(one.type, one.type), chain_type=present.get(one.chain_type, one.chain_type))
            for one in items
        ]

    def record_attempt(
        self,
        type: str,
        seconds: float,
        outcome: str,
        error_type: str | None = None,
        *,
        context: Context | None = None,
    ) -> None:
        """
        Measure the duration of a handler, once for each attempt.

        ``context`` is the context of the attempt, for an exemplar; None for the current one.
        """
        try:
            self._registry.record_attempt(type, seconds, outcome, error_type, context)
        except Exception as error:
            self._registry.record_failure("measuring an attempt", error)

    @harmless
    def record_operation(self, name: str, seconds: float, error_type: str | None = None) -> None:
        """Measure the duration of one of otelq's own statements, other than claims and settlements."""
        self._registry.record_operation(name, seconds, error_type, self._system)

    def add_active(self, type: str, delta: int) -> None:
        """Add to the number of running attempts of this type."""
        self._active[type] = self._active.get(type, 0) + delta
        self._registry.of(type).active += delta

    def add_capacity(self, delta: int) -> None:
        """Add to the number of slots."""
        self._capacity += delta
        self._registry.capacity += delta

    def observe_listener(self, read: Callable[[], bool | None]) -> None:
        """Call ``read`` until the close: it returns whether hints of others are heard, and None without a listener."""
        self._listener = read
        self._registry.listeners.append(read)

    def count(self, name: CounterName, n: int = 1, *, type: str | None = None) -> None:
        """Add to a counter that no transition feeds. Safe from any thread."""
        self._registry.count(name, n, type)

    def count_unknown(self, n: int) -> None:
        """Count transitions that are never reported, because their commit stays unknown."""
        self._registry.count(CounterName.REPORT_UNKNOWN, n, None)


def installed_version() -> str:
    """Return the version of otelq's distribution; "0" where it is not installed as one."""
    try:
        return version("otelq")
    except PackageNotFoundError:
        return "0"
