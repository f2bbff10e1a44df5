"""
The moves of jobs that telemetry reports, in the words of the audit, so that the two can be compared.

::

    reported = reported_counts(reader.get_metrics_data())
    expected = expected_counts(moves(await changes(client)))
    assert reported == expected, difference(reported, expected)

The counters report every move but renewals, which change no state. Spans report fewer (``WITH_SPAN``), but name the
job. The names are written here once more, so that a name that telemetry changes by mistake shows as a difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1 import trace_pb2
from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from otelq.model import Status, Verb
from otelq.testing.otlp import attributes_of

from .values import AuditedMove


class CountedMove(NamedTuple):
    """
    A kind of move, as a counter reports it. ``waiting`` is scheduled or ready: the clock alone turns one into the
    other.
    """

    verb: str
    type: str
    source: str
    target: str


class SpannedMove(NamedTuple):
    """A move, as a span reports it. ``job`` is the job's id; it is empty where one span covers a batch of starts."""

    verb: str
    type: str
    job: str


NOT_COUNTED: Final = frozenset({Verb.RENEW})
"""Moves that no counter counts."""
WITH_SPAN: Final = frozenset(Verb) - {Verb.RENEW, Verb.UNBLOCK, Verb.AMEND, Verb.DELETE}
"""Moves that have spans, if they are sampled and the process runs until they are exported."""

_COUNTER: Final = "otelq.job.transitions"
_OUTCOMES: Final[Mapping[str, Verb]] = {
    "completed": Verb.COMPLETE,
    "continued": Verb.CONTINUE,
    "retry": Verb.RETRY,
    "snoozed": Verb.SNOOZE,
    "blocked": Verb.BLOCK,
    "failed": Verb.FAIL,
    "released": Verb.RELEASE,
}


def expected_counts(moves: Iterable[AuditedMove]) -> Counter[CountedMove]:
    """Return the counts that the counters should report of these moves."""
    return Counter(
        CountedMove(move.verb, move.type, _status_name(move.source), _status_name(move.target))
        for move in moves
        if move.verb not in NOT_COUNTED
    )


def expected_spans(moves: Iterable[AuditedMove]) -> Counter[SpannedMove]:
    """Return the moves that spans should report of these, each start alone."""
    return Counter(
        SpannedMove(move.verb, move.type, f"{move.chain_id}.{move.position}")
        for move in moves
        if move.verb in WITH_SPAN
    )


def reported_counts(data: MetricsData | None) -> Counter[CountedMove]:
    """Return the counts that an SDK's in-memory reader holds. It gives None before the first count: that is nothing."""
    reported: Counter[CountedMove] = Counter()
    for resource in data.resource_metrics if data else ():
        for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
            if metric.name == _COUNTER:
                for point in metric.data.data_points:
                    reported[_counted_move(point.attributes or {})] += int(getattr(point, "value", 0))
    return reported


def reported_otlp_counts(metrics: Mapping[str, Metric]) -> Counter[CountedMove]:
    """Return the counts that ``OtlpReceiver.metrics()`` holds of one process."""
    reported: Counter[CountedMove] = Counter()
    for point in metrics[_COUNTER].sum.data_points if _COUNTER in metrics else ():
        reported[_counted_move(attributes_of(point))] += point.as_int
    return reported


def reported_spans(spans: Iterable[ReadableSpan]) -> Counter[SpannedMove]:
    """Return the moves that finished spans of an SDK report."""
    return Counter(
        spanned
        for span in spans
        for spanned in _spanned_moves(
            span.name, span.attributes or {}, failed=span.status.status_code is StatusCode.ERROR
        )
    )


def reported_otlp_spans(spans: Iterable[trace_pb2.Span]) -> Counter[SpannedMove]:
    """Return the moves that ``OtlpReceiver.spans()`` report."""
    error = trace_pb2.Status.STATUS_CODE_ERROR
    return Counter(
        spanned
        for span in spans
        for spanned in _spanned_moves(span.name, attributes_of(span), failed=span.status.code == error)
    )


def difference(reported: Counter[Any], happened: Counter[Any]) -> str:
    """Return the moves that were reported too often or too rarely, one a line; nothing if the two agree."""
    too_often, too_rarely = reported - happened, happened - reported
    lines = [f"reported {count} too many: {_words(key)}" for key, count in sorted(too_often.items())]
    lines += [f"not reported {count}: {_words(key)}" for key, count in sorted(too_rarely.items())]
    return "\n".join(lines)


def _words(key: tuple[str, ...]) -> str:
    return " ".join(key)


def _status_name(status: Status | None) -> str:
    if status in (Status.SCHEDULED, Status.READY):
        return "waiting"
    return "none" if status is None else str(status)


def _counted_move(attributes: Mapping[str, Any]) -> CountedMove:
    source, target = (attributes[f"otelq.job.state.{end}"] for end in ("from", "to"))
    return CountedMove(
        str(attributes["otelq.job.transition"]),
        str(attributes["messaging.destination.name"]),
        *("waiting" if status in (Status.SCHEDULED, Status.READY) else str(status) for status in (source, target)),
    )


def _spanned_moves(name: str, attributes: Mapping[str, Any], *, failed: bool) -> Iterator[SpannedMove]:
    """Yield a start, an attempt with its outcome, or a move with a span of its own. Other spans report no move."""
    if attributes.get("messaging.system") != "otelq":
        return
    operation, _, type = name.partition(" ")
    job = str(attributes.get("messaging.message.id", ""))
    if verb := attributes.get("otelq.job.transition"):
        yield SpannedMove(str(verb), type, job)
    elif operation == "enqueue" and not failed and not attributes.get("otelq.job.deduplicated"):
        for _ in range(int(attributes.get("messaging.batch.message_count", 1))):
            yield SpannedMove(Verb.CREATE, type, job)
    elif operation == "process":
        yield SpannedMove(Verb.CLAIM, type, job)
        if end := _OUTCOMES.get(str(attributes.get("otelq.job.outcome"))):
            yield SpannedMove(end, type, job)
