"""
The metrics: plain integers on the hot path, which observable instruments read when an exporter collects.

All clients of one MeterProvider share a ``Registry``, because an SDK silently drops the callbacks of a second
instrument with the same name. The totals stay when a client closes, and go on when it opens again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

from opentelemetry import metrics
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Histogram, Meter, MeterProvider, NoOpMeter, Observation

from ..logs import Log
from ..model import CLOSED, ENDED, Status, Transition, Verb
from ..texts import LONGEST_NAME, line
from . import names
from .names import Attribute, CounterName, Drop, Instrument, InstrumentKind, ListenerState, Operation

logger = Log("otelq.telemetry")

Attributes = dict[str, str]
Move = tuple[Verb, Status | None, Status | None]
K = TypeVar("K")

_PLAIN: Final = frozenset({str(Status.COMPLETED), str(Status.CONTINUED)})
"""Outcomes that get no attribute: each attribute of a measurement costs about a microsecond."""

WHOLE_PER_SECOND: Final = 500
"""Claims, and likewise closed jobs, a second up to which each is measured in the histograms."""
ONE_IN: Final = 16
"""
Beyond that rate one in so many is measured. Counters stay exact, and ``otelq.telemetry.thinned`` counts the
measurements that were left out.
"""


class TypeTotals:
    """The totals of one job type, and the attribute sets of its measurements, built once."""

    __slots__ = (
        "active", "by_chain_outcome", "by_outcome", "counts", "error_types", "label", "process", "retries",
        "transitions", "wait",
    )  # fmt: skip

    def __init__(self, label: str) -> None:
        self.label = label
        self.transitions: dict[Move, int] = {}
        self.retries: dict[str, int] = {}
        self.counts: dict[str, int] = {}
        self.active = 0
        self.error_types: set[str] = set()
        self.wait: Attributes = {Attribute.DESTINATION: label}
        self.by_outcome: dict[Status | None, Attributes] = {}
        self.by_chain_outcome: dict[Status | None, Attributes] = {}
        self.process: dict[tuple[str, str | None], Attributes] = {}

    def count_of(self, *verbs: Verb) -> int:
        """Return the number of transitions by these verbs."""
        # Copied first: the main thread may add a key while an exporter's thread reads.
        return sum(count for (verb, _, _), count in list(self.transitions.items()) if verb in verbs)

    def outcome_attributes(self, status: Status | None) -> Attributes:
        """Return the attributes of a job of this type that closed with this status."""
        known = self.by_outcome.get(status)
        if known is None:
            known = {Attribute.DESTINATION: self.label, Attribute.OUTCOME: str(status)}
            self.by_outcome[status] = known
        return known

    def chain_outcome_attributes(self, status: Status | None) -> Attributes:
        """Return the attributes of a chain that began with this type and closed with this status."""
        known = self.by_chain_outcome.get(status)
        if known is None:
            known = {Attribute.CHAIN_TYPE: self.label, Attribute.OUTCOME: str(status)}
            self.by_chain_outcome[status] = known
        return known

    def process_attributes(self, outcome: str, error_type: str | None) -> Attributes:
        """Return the attributes of an attempt with this outcome and error type."""
        known = self.process.get((outcome, error_type))
        if known is None:
            known = self.message_attributes(Operation.PROCESS)
            if outcome not in _PLAIN:
                known[Attribute.OUTCOME] = outcome
            if error_type is not None:
                known[Attribute.ERROR_TYPE] = error_type
            self.process[outcome, error_type] = known
        return known

    def message_attributes(self, operation: Operation) -> Attributes:
        """Return the attributes that the conventions require, for this type."""
        return {
            Attribute.SYSTEM: names.MESSAGING_SYSTEM,
            Attribute.OPERATION: str(operation),
            Attribute.DESTINATION: self.label,
        }


class Registry:
    """The instruments on one MeterProvider and the totals behind them."""

    def __init__(self, meter: Meter) -> None:
        self._types: dict[str, TypeTotals] = {}
        self._other = TypeTotals(names.OTHER)
        self.counts: dict[str, int] = {}
        self.dropped: dict[str, int] = {}
        self.overflow: dict[str, int] = {}
        self.thinned: dict[str, int] = {}
        self.capacity = 0
        self.listeners: list[Callable[[], bool | None]] = []
        """Of each client, a function that returns whether its listener hears others; None without a listener."""
        self.failed_at: set[str] = set()
        """Places at which an SDK failed, each of which was logged once."""
        self._operations: dict[tuple[str, str, str | None], Attributes] = {}
        self._waits = _Thinning(self.thinned, names.WAIT_DURATION)
        self._closings = _Thinning(self.thinned, names.JOB_DURATION, names.CHAIN_DURATION, names.JOB_ATTEMPTS)
        self._process = _histogram(meter, names.PROCESS_DURATION)
        self._operation = _histogram(meter, names.OPERATION_DURATION)
        self._wait = _histogram(meter, names.WAIT_DURATION)
        self._job = _histogram(meter, names.JOB_DURATION)
        self._chain = _histogram(meter, names.CHAIN_DURATION)
        self._attempts = _histogram(meter, names.JOB_ATTEMPTS)
        self._observe(meter)

    def of(self, type: str) -> TypeTotals:
        """Return the totals of a job type; those of ``_OTHER`` beyond the limit of types."""
        known = self._types.get(type)
        if known is not None:
            return known
        if len(self._types) >= names.TYPE_LIMIT:
            _add(self.overflow, Attribute.DESTINATION)
            return self._other
        # `setdefault`, as other threads count too: two of them must not get different totals.
        return self._types.setdefault(type, TypeTotals(line(type, longest=LONGEST_NAME)))

    def error_type(self, totals: TypeTotals, error_type: str) -> str:
        """Return the error type as a label; ``_OTHER`` beyond the limit of this job type."""
        if error_type in totals.error_types:
            return line(error_type, longest=LONGEST_NAME)
        if len(totals.error_types) >= names.ERROR_TYPE_LIMIT:
            _add(self.overflow, Attribute.ERROR_TYPE)
            return names.OTHER
        totals.error_types.add(error_type)
        return line(error_type, longest=LONGEST_NAME)

    def record_transitions(self, transitions: Sequence[Transition]) -> bool:
        """Count transitions and measure durations; return whether some of them need a span of their own."""
        known, now, need_spans = self._types, time.monotonic(), False
        for transition in transitions:
            totals = known.get(transition.type) or self.of(transition.type)
            move = (transition.verb, transition.source, transition.target)
            totals.transitions[move] = totals.transitions.get(move, 0) + 1
            need_spans = need_spans or transition.verb in names.TRANSITION_SPANS
            if transition.verb is Verb.CLAIM:
                if transition.due_at is not None and self._waits.admits(now):
                    self._record(self._wait, _seconds(transition.due_at, transition.at), totals.wait)
            elif transition.target in CLOSED:
                if self._closings.admits(now):
                    self._closed(transition, totals)
            elif transition.verb is Verb.RETRY:
                _add(totals.retries, self.error_type(totals, transition.error_type or names.OTHER))
        return need_spans

    def _closed(self, transition: Transition, totals: TypeTotals) -> None:
        attributes = totals.outcome_attributes(transition.target)
        self._record(self._job, _seconds(transition.created_at, transition.at), attributes)
        self._record(self._attempts, transition.attempt, attributes)
        if transition.target in ENDED:
            chain = self.of(transition.chain_type).chain_outcome_attributes(transition.target)
            self._record(self._chain, _seconds(transition.chain_created_at, transition.at), chain)

    def record_attempt(
        self, type: str, seconds: float, outcome: str, error_type: str | None, context: Context | None
    ) -> None:
        """Measure one attempt."""
        totals = self.of(type)
        label = None if error_type is None else self.error_type(totals, error_type)
        self._record(self._process, max(0.0, seconds), totals.process_attributes(outcome, label), context)

    def record_operation(self, name: str, seconds: float, error_type: str | None, database: str) -> None:
        """Measure one of otelq's own statements."""
        key = (name, database, error_type)
        attributes = self._operations.get(key)
        if attributes is None:
            attributes = self._operations[key] = _operation_attributes(name, database, error_type)
        self._record(self._operation, max(0.0, seconds), attributes)

    def _record(
        self, histogram: Histogram, value: float, attributes: Attributes, context: Context | None = None
    ) -> None:
        # Each by itself: after one that raises, as with a broken exemplar filter, the others are still recorded.
        try:
            histogram.record(value, attributes, context)
        except Exception as error:
            self.record_failure("recording a measurement", error)

    def count(self, name: CounterName, n: int, type: str | None) -> None:
        """Add to a counter that is not derived from transitions."""
        _add(self.counts if type is None else self.of(type).counts, name, n)

    def drop(self, reason: Drop, n: int = 1) -> None:
        """Count telemetry that is left out, by reason."""
        _add(self.dropped, reason, n)

    def record_failure(self, where: str, error: Exception) -> None:
        """Count a failure of an SDK, and log the first one at this place."""
        self.drop(Drop.SDK_ERROR)
        if where not in self.failed_at:
            self.failed_at.add(where)
            text = "telemetry: %s failed; the job goes on, and further failures of this kind are only counted"
            logger.warning(text, where, exc_info=error)

    def _all(self) -> list[TypeTotals]:
        return [*list(self._types.values()), self._other]

    def _observe(self, meter: Meter) -> None:
        for instrument, read in self._readings().items():
            _observable(meter, instrument, read)

    def _readings(self) -> dict[Instrument, Callable[[], Iterable[Observation]]]:
        return {
            names.SENT: lambda: self._messages(Operation.ENQUEUE, Verb.CREATE),
            names.CONSUMED: lambda: self._messages(Operation.CLAIM, Verb.CLAIM),
            names.TRANSITIONS: self._transitions,
            names.RETRIES: self._retries,
            names.REAPED: self._reaped,
            names.DEDUPLICATED: lambda: self._counted(CounterName.DEDUPLICATED),
            names.LEASE_LOST: lambda: self._counted(CounterName.LEASE_LOST),
            names.CLAIM_EMPTY: lambda: self._counted(CounterName.CLAIM_EMPTY),
            names.REPORT_UNKNOWN: lambda: self._counted(CounterName.REPORT_UNKNOWN),
            names.SLOT_LEAKED: lambda: self._counted(CounterName.SLOT_LEAKED),
            names.DROPPED: lambda: _labelled(self.dropped, Attribute.DROP_REASON),
            names.OVERFLOW: lambda: _labelled(self.overflow, Attribute.LABEL),
            names.THINNED: lambda: _labelled(self.thinned, Attribute.INSTRUMENT),
            names.ACTIVE: self._active,
            names.CAPACITY: lambda: [Observation(self.capacity)],
            names.LISTENERS: self._listeners,
        }

    def _messages(self, operation: Operation, verb: Verb) -> Iterator[Observation]:
        for totals in self._all():
            if count := totals.count_of(verb):
                yield Observation(count, totals.message_attributes(operation))

    def _transitions(self) -> Iterator[Observation]:
        for totals in self._all():
            for (verb, source, target), count in list(totals.transitions.items()):
                yield Observation(
                    count,
                    {
                        Attribute.DESTINATION: totals.label,
                        Attribute.TRANSITION: str(verb),
                        Attribute.STATE_FROM: str(source or "none"),
                        Attribute.STATE_TO: str(target or "none"),
                    },
                )

    def _retries(self) -> Iterator[Observation]:
        for totals in self._all():
            for error_type, count in list(totals.retries.items()):
                yield Observation(count, {**totals.wait, Attribute.ERROR_TYPE: error_type})

    def _reaped(self) -> Iterator[Observation]:
        for totals in self._all():
            if count := totals.count_of(Verb.REAP, Verb.TAKE_OVER):
                yield Observation(count, totals.wait)

    def _counted(self, name: CounterName) -> Iterator[Observation]:
        if name in self.counts:
            yield Observation(self.counts[name])
        for totals in self._all():
            if name in totals.counts:
                yield Observation(totals.counts[name], totals.wait)

    def _active(self) -> Iterator[Observation]:
        return (
            Observation(totals.active, totals.wait)
            for totals in self._all()
            if totals is not self._other or totals.active
        )

    def _listeners(self) -> Iterator[Observation]:
        found = [is_hearing for read in list(self.listeners) if (is_hearing := read()) is not None]
        if found:  # both states, so that a listener that falls silent leaves no old value behind
            yield Observation(found.count(True), {Attribute.LISTENER_STATE: ListenerState.HEARING})
            yield Observation(found.count(False), {Attribute.LISTENER_STATE: ListenerState.SILENT})


class _Thinning:
    """
    Admits measurements: all of them at a moderate rate, one in ``ONE_IN`` beyond.

    One ``record`` of an SDK histogram costs as much as the rest of a job's telemetry, and a busy process gets the same
    quantiles from a part of the measurements.
    """

    __slots__ = ("_instruments", "_left", "_thinned", "_until")

    def __init__(self, thinned: dict[str, int], *instruments: Instrument) -> None:
        self._thinned = thinned
        self._instruments = tuple(instrument.name for instrument in instruments)
        self._until, self._left = 0.0, 0

    def admits(self, now: float) -> bool:
        if now >= self._until:
            self._until, self._left = now + 1, WHOLE_PER_SECOND
        self._left -= 1
        if self._left >= 0 or self._left % ONE_IN == 0:
            return True
        for name in self._instruments:
            self._thinned[name] = self._thinned.get(name, 0) + 1
        return False


def _add(counts: dict[K, int], key: K, n: int = 1) -> None:
    # No lock: with keys of built-in types no thread switch comes between under the GIL. A free-threaded build needs
    # one.
    counts[key] = counts.get(key, 0) + n


def _seconds(start: datetime, end: datetime) -> float:
    return max(0.0, (end - start).total_seconds())


def _labelled(counts: dict[str, int], key: str) -> Iterator[Observation]:
    return (Observation(count, {key: label}) for label, count in list(counts.items()))


def _operation_attributes(name: str, database: str, error_type: str | None) -> Attributes:
    attributes = {
        Attribute.SYSTEM: names.MESSAGING_SYSTEM,
        Attribute.OPERATION: name,
        Attribute.DATABASE: database,
    }
    operation_type = names.OPERATION_TYPES.get(name)
    if operation_type is not None:
        attributes[Attribute.OPERATION_TYPE] = str(operation_type)
    if error_type is not None:
        attributes[Attribute.ERROR_TYPE] = error_type
    return attributes


def _histogram(meter: Meter, instrument: Instrument) -> Histogram:
    return meter.create_histogram(
        instrument.name,
        unit=instrument.unit,
        description=instrument.description,
        explicit_bucket_boundaries_advisory=list(instrument.buckets),
    )


def _observable(meter: Meter, instrument: Instrument, read: Callable[[], Iterable[Observation]]) -> None:
    create = (
        meter.create_observable_counter
        if instrument.kind is InstrumentKind.COUNTER
        else meter.create_observable_up_down_counter
    )

    def callback(_: CallbackOptions) -> Iterable[Observation]:
        return list(read())

    create(instrument.name, callbacks=[callback], unit=instrument.unit, description=instrument.description)


_lock = threading.Lock()
_registries: WeakKeyDictionary[MeterProvider, Registry] = WeakKeyDictionary()
_global: list[Registry] = []
"""The registry of the first global provider: perhaps the API's proxy, which forwards to one that is set later."""


def registry_for(provider: MeterProvider | None, *, version: str) -> Registry:
    """
    Return the registry of this provider; None is the global provider, also one that is set later.

    If a provider cannot create the instruments, its totals are not exported.
    """
    try:
        return _registry_for(provider, version)
    except Exception:
        logger.exception("the meter provider %r failed; there will be no metrics", provider)
        return Registry(NoOpMeter(names.SCOPE))


def _registry_for(provider: MeterProvider | None, version: str) -> Registry:
    with _lock:
        default = metrics.get_meter_provider()
        chosen = default if provider is None else provider
        known = _registries.get(chosen)
        # The proxy and the provider behind it are two objects, and must count as one.
        if known is None and chosen is default and _global:
            known = _global[0]
        if known is None:
            known = Registry(chosen.get_meter(names.SCOPE, version, names.SCHEMA_URL))
            if chosen is default:
                _global[:] = [known]
        _registries[chosen] = known
        return known
