"""
What telemetry says happened to jobs, in the words of the audit, so that the two can be compared.

::

    said, happened = said_by_metrics(reader.get_metrics_data()), by_metrics(moves(await changes(client)))
    assert said == happened, disagreement(said, happened)

The counters tell every move but renewals, which change no state. Spans tell less (``SPOKEN``), but name the job.
The names are written down here once more: one that telemetry changes by mistake is a disagreement.
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

from .values import Moved


class Tale(NamedTuple):
    """What a counter says: a kind of move. Scheduled or ready is ``waiting``: the clock alone makes one the other."""

    verb: str
    type: str
    source: str
    target: str


class Spoken(NamedTuple):
    """What a span says. ``job`` is the job's id; empty where one span stands for a batch of starts."""

    verb: str
    type: str
    job: str


WITHOUT_EFFECT: Final = frozenset({Verb.RENEW})
"""Moves that no counter tells."""
SPOKEN: Final = frozenset(Verb) - {Verb.RENEW, Verb.UNBLOCK, Verb.AMEND, Verb.DELETE}
"""Moves that spans tell, if they are sampled and the process lives until they are exported."""

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


def by_metrics(moves: Iterable[Moved]) -> Counter[Tale]:
    """What the counters should say of these moves."""
    return Counter(
        Tale(move.verb, move.type, _standing(move.source), _standing(move.target))
        for move in moves
        if move.verb not in WITHOUT_EFFECT
    )


def by_spans(moves: Iterable[Moved]) -> Counter[Spoken]:
    """What spans should say of these moves, each start alone."""
    return Counter(
        Spoken(move.verb, move.type, f"{move.chain_id}.{move.position}") for move in moves if move.verb in SPOKEN
    )


def said_by_metrics(data: MetricsData | None) -> Counter[Tale]:
    """What an SDK's reader in memory has of the counters; nothing from None, which it gives before the first count."""
    said: Counter[Tale] = Counter()
    for resource in data.resource_metrics if data else ():
        for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
            if metric.name == _COUNTER:
                for point in metric.data.data_points:
                    said[_tale(point.attributes or {})] += int(getattr(point, "value", 0))
    return said


def said_by_otlp_metrics(metrics: Mapping[str, Metric]) -> Counter[Tale]:
    """What ``OtlpReceiver.metrics()`` has of the counters of one process."""
    said: Counter[Tale] = Counter()
    for point in metrics[_COUNTER].sum.data_points if _COUNTER in metrics else ():
        said[_tale(attributes_of(point))] += point.as_int
    return said


def said_by_spans(spans: Iterable[ReadableSpan]) -> Counter[Spoken]:
    """What finished spans of an SDK say."""
    return Counter(
        spoken
        for span in spans
        for spoken in _spoken(span.name, span.attributes or {}, failed=span.status.status_code is StatusCode.ERROR)
    )


def said_by_otlp_spans(spans: Iterable[trace_pb2.Span]) -> Counter[Spoken]:
    """What ``OtlpReceiver.spans()`` say."""
    error = trace_pb2.Status.STATUS_CODE_ERROR
    return Counter(
        spoken for span in spans for spoken in _spoken(span.name, attributes_of(span), failed=span.status.code == error)
    )


def disagreement(said: Counter[Any], happened: Counter[Any]) -> str:
    """What was said too often and too rarely, a line each; empty if the two agree."""
    too_often, too_rarely = said - happened, happened - said
    lines = [f"said {count} too many: {_words(key)}" for key, count in sorted(too_often.items())]
    lines += [f"not said {count}: {_words(key)}" for key, count in sorted(too_rarely.items())]
    return "\n".join(lines)


def _words(key: tuple[str, ...]) -> str:
    return " ".join(key)


def _standing(status: Status | None) -> str:
    if status in (Status.SCHEDULED, Status.READY):
        return "waiting"
    return "none" if status is None else str(status)


def _tale(attributes: Mapping[str, Any]) -> Tale:
    source, target = (attributes[f"otelq.job.state.{end}"] for end in ("from", "to"))
    return Tale(
        str(attributes["otelq.job.transition"]),
        str(attributes["messaging.destination.name"]),
        *("waiting" if status in (Status.SCHEDULED, Status.READY) else str(status) for status in (source, target)),
    )


def _spoken(name: str, attributes: Mapping[str, Any], *, failed: bool) -> Iterator[Spoken]:
    """A start, an attempt with what it came to, or a move that has a span of its own; other spans say nothing."""
    if attributes.get("messaging.system") != "otelq":
        return
    operation, _, type = name.partition(" ")
    job = str(attributes.get("messaging.message.id", ""))
    if verb := attributes.get("otelq.job.transition"):
        yield Spoken(str(verb), type, job)
    elif operation == "enqueue" and not failed and not attributes.get("otelq.job.deduplicated"):
        for _ in range(int(attributes.get("messaging.batch.message_count", 1))):
            yield Spoken(Verb.CREATE, type, job)
    elif operation == "process":
        yield Spoken(Verb.CLAIM, type, job)
        if end := _OUTCOMES.get(str(attributes.get("otelq.job.outcome"))):
            yield Spoken(end, type, job)
