"""
The names of all spans, attributes and metrics.

``docs/reference/telemetry.md`` is written by hand, and a test compares it with these tables. Names under
``messaging.``, ``error.`` and ``db.`` follow the semantic conventions of ``SCHEMA_URL``; the others are otelq's own,
under ``otelq.``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from opentelemetry.trace import SpanKind

from .. import model
from ..model import Verb

SCOPE: Final = "otelq"
SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"
MESSAGING_SYSTEM: Final = "otelq"
OTHER: Final = "_OTHER"
"""The value of a label beyond its limit."""

TYPE_LIMIT: Final = 200
"""Job types with a label of their own, the first ones that are seen."""
ERROR_TYPE_LIMIT: Final = 20
"""Error types per job type with a label of their own."""
LINK_LIMIT: Final = 128
"""Links on one span: the default limit of SDKs."""
TRANSITION_SPAN_LIMIT: Final = 128
"""Spans that one call of ``record_transitions`` writes at most: a mass cancellation must not flood a backend."""


class Attribute:
    """Attribute keys."""

    SYSTEM: Final = "messaging.system"
    OPERATION: Final = "messaging.operation.name"
    OPERATION_TYPE: Final = "messaging.operation.type"
    DESTINATION: Final = "messaging.destination.name"  # the job type
    MESSAGE_ID: Final = "messaging.message.id"
    CONVERSATION_ID: Final = "messaging.message.conversation_id"
    BATCH_COUNT: Final = "messaging.batch.message_count"
    CLIENT_ID: Final = "messaging.client.id"
    ERROR_TYPE: Final = "error.type"
    DATABASE: Final = "db.system.name"
    CHAIN_ID: Final = "otelq.chain.id"
    CHAIN_TYPE: Final = "otelq.chain.type"
    CHAIN_HOP: Final = "otelq.chain.hop"
    QUEUE: Final = "otelq.job.queue"
    ATTEMPT: Final = "otelq.job.attempt"
    CRASHES: Final = "otelq.job.crashes"
    OUTCOME: Final = "otelq.job.outcome"
    DEDUPLICATED: Final = "otelq.job.deduplicated"
    DELAY: Final = "otelq.job.delay"
    WAIT: Final = "otelq.job.wait"
    STATE_FROM: Final = "otelq.job.state.from"
    STATE_TO: Final = "otelq.job.state.to"
    TRANSITION: Final = "otelq.job.transition"
    BLOCKERS: Final = "otelq.blocker.count"
    LINK_REASON: Final = "otelq.link.reason"
    LISTENER_STATE: Final = "otelq.notify.state"
    DROP_REASON: Final = "otelq.telemetry.drop.reason"
    INSTRUMENT: Final = "otelq.telemetry.instrument"
    LABEL: Final = "otelq.telemetry.label"


class Operation(StrEnum):
    """Operations of spans and durations; ``settle`` is a batch of mixed outcomes."""

    ENQUEUE = "enqueue"
    CLAIM = "claim"
    PROCESS = "process"
    COMPLETE = "complete"
    CONTINUE = "continue"
    RETRY = "retry"
    SNOOZE = "snooze"
    FAIL = "fail"
    RELEASE = "release"
    SETTLE = "settle"
    RENEW = "renew"
    REAP = "reap"
    TAKE_OVER = "take_over"
    CANCEL = "cancel"
    EXPIRE = "expire"
    TRIGGER = "trigger"
    REDRIVE = "redrive"


class OperationType(StrEnum):
    """Types of operations in the conventions."""

    SEND = "send"
    RECEIVE = "receive"
    PROCESS = "process"
    SETTLE = "settle"


OPERATION_TYPES: Mapping[str, OperationType | None] = {
    Operation.ENQUEUE: OperationType.SEND,
    Operation.CLAIM: OperationType.RECEIVE,
    Operation.PROCESS: OperationType.PROCESS,
    Operation.TRIGGER: None,
    Operation.REDRIVE: None,
    Operation.RENEW: None,
    **dict.fromkeys(
        (
            Operation.COMPLETE,
            Operation.CONTINUE,
            Operation.RETRY,
            Operation.SNOOZE,
            Operation.FAIL,
            Operation.RELEASE,
            Operation.SETTLE,
            Operation.REAP,
            Operation.TAKE_OVER,
            Operation.CANCEL,
            Operation.EXPIRE,
        ),
        OperationType.SETTLE,
    ),
}

SPAN_KINDS: Mapping[OperationType | None, SpanKind] = {
    OperationType.SEND: SpanKind.PRODUCER,
    OperationType.RECEIVE: SpanKind.CLIENT,
    OperationType.PROCESS: SpanKind.CONSUMER,
    OperationType.SETTLE: SpanKind.CLIENT,
    None: SpanKind.CLIENT,
}


class LinkReason(StrEnum):
    """
    Reasons for a link between spans, and for a new root.

    The first five name the role of the linked span. The others give the reason for a new trace; they are set on the new
    root and on its link to the span that created the job.
    """

    CREATION = "creation"
    PREVIOUS_ATTEMPT = "previous_attempt"
    CHAIN = "chain"
    CLAIMED = "claimed"
    SETTLED = "settled"
    DELAY = "delay"
    RETRY = "retry"
    FAN_IN = "fan_in"
    FAN_OUT = "fan_out"
    HOP_LIMIT = "hop_limit"
    CONFIGURED = "configured"


class Error(StrEnum):
    """Values of ``error.type`` that are not the name of an exception."""

    LEASE_LOST = model.LEASE_LOST
    BLOCKER_FAILED = model.BLOCKER_FAILED


@dataclass(frozen=True, slots=True)
class TransitionSpan:
    """
    The span of a transition that has no ``enqueue`` or ``process`` span.

    With ``by_caller`` a caller asked for the transition, and the span joins the caller's trace if there is one. All
    others join the chain's trace.
    """

    operation: Operation
    by_caller: bool = False
    error: Error | None = None


LIVE: Final = frozenset(
    {
        Verb.CREATE,
        Verb.CLAIM,
        Verb.COMPLETE,
        Verb.CONTINUE,
        Verb.RETRY,
        Verb.SNOOZE,
        Verb.BLOCK,
        Verb.FAIL,
        Verb.RELEASE,
    }
)
"""Transitions that an ``enqueue`` or ``process`` span shows."""

TRANSITION_SPANS: Mapping[Verb, TransitionSpan] = {
    Verb.REAP: TransitionSpan(Operation.REAP, error=Error.LEASE_LOST),
    Verb.TAKE_OVER: TransitionSpan(Operation.TAKE_OVER, error=Error.LEASE_LOST),
    Verb.FAIL_BY_BLOCKER: TransitionSpan(Operation.FAIL, error=Error.BLOCKER_FAILED),
    Verb.EXPIRE: TransitionSpan(Operation.EXPIRE),
    Verb.CANCEL: TransitionSpan(Operation.CANCEL, by_caller=True),
    Verb.COMPLETE_EXTERNALLY: TransitionSpan(Operation.COMPLETE, by_caller=True),
    Verb.TRIGGER: TransitionSpan(Operation.TRIGGER, by_caller=True),
    Verb.REDRIVE: TransitionSpan(Operation.REDRIVE, by_caller=True),
}
"""Transitions with a span of their own, written after the commit."""

SPANS: Final = frozenset(
    {
        Operation.ENQUEUE,
        Operation.CLAIM,
        Operation.PROCESS,
        Operation.CONTINUE,
        Operation.SETTLE,
        *(span.operation for span in TRANSITION_SPANS.values()),
    }
)
"""Operations with spans; the others have durations only."""

COUNTED_ONLY: Final = frozenset({Verb.UNBLOCK, Verb.AMEND, Verb.DELETE})
"""Transitions that are in the metrics only."""

WITHOUT_EFFECT: Final = frozenset({Verb.RENEW})
"""Verbs that change no state, and are in neither metrics nor spans."""


class InstrumentKind(StrEnum):
    """Kinds of instruments. Counters are observable: the hot path adds to plain integers."""

    COUNTER = "counter"
    UP_DOWN = "updowncounter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Instrument:
    """One metric, with the description in ``docs/reference/telemetry.md``."""

    name: str
    kind: InstrumentKind
    unit: str
    description: str
    attributes: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
PROCESS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 300, 900, 3600)
WAIT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21600)
LONG = (0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400, 604800)
ATTEMPTS = (1, 2, 3, 5, 8, 13, 25)

A = Attribute
MESSAGES = (A.SYSTEM, A.OPERATION, A.DESTINATION)

SENT = Instrument(
    "messaging.client.sent.messages",
    InstrumentKind.COUNTER,
    "{message}",
    "Jobs created, continuations included.",
    MESSAGES,
)
CONSUMED = Instrument(
    "messaging.client.consumed.messages",
    InstrumentKind.COUNTER,
    "{message}",
    "Jobs claimed, once per claim.",
    MESSAGES,
)
OPERATION_DURATION = Instrument(
    "messaging.client.operation.duration",
    InstrumentKind.HISTOGRAM,
    "s",
    "How long one of otelq's own statements took.",
    (A.SYSTEM, A.OPERATION, A.OPERATION_TYPE, A.DATABASE, A.ERROR_TYPE),
    FAST,
)
PROCESS_DURATION = Instrument(
    "messaging.process.duration",
    InstrumentKind.HISTOGRAM,
    "s",
    "How long a handler ran; the outcome is named unless it is completed or continued.",
    (*MESSAGES, A.OUTCOME, A.ERROR_TYPE),
    PROCESS,
)
TRANSITIONS = Instrument(
    "otelq.job.transitions",
    InstrumentKind.COUNTER,
    "{transition}",
    "Committed changes of jobs' states; every one, exactly once.",
    (A.DESTINATION, A.TRANSITION, A.STATE_FROM, A.STATE_TO),
)
WAIT_DURATION = Instrument(
    "otelq.job.wait.duration",
    InstrumentKind.HISTOGRAM,
    "s",
    "From when a job could be claimed until it was.",
    (A.DESTINATION,),
    WAIT,
)
JOB_DURATION = Instrument(
    "otelq.job.duration",
    InstrumentKind.HISTOGRAM,
    "s",
    "From a job's creation until it closed.",
    (A.DESTINATION, A.OUTCOME),
    LONG,
)
CHAIN_DURATION = Instrument(
    "otelq.chain.duration",
    InstrumentKind.HISTOGRAM,
    "s",
    "From a chain's start until it closed.",
    (A.CHAIN_TYPE, A.OUTCOME),
    LONG,
)
JOB_ATTEMPTS = Instrument(
    "otelq.job.attempts",
    InstrumentKind.HISTOGRAM,
    "{attempt}",
    "Attempts that a job had spent when it closed.",
    (A.DESTINATION, A.OUTCOME),
    ATTEMPTS,
)
RETRIES = Instrument(
    "otelq.job.retries",
    InstrumentKind.COUNTER,
    "{retry}",
    "Failed attempts that are followed by another.",
    (A.DESTINATION, A.ERROR_TYPE),
)
REAPED = Instrument(
    "otelq.job.reaped",
    InstrumentKind.COUNTER,
    "{job}",
    "Jobs taken back from a lease that ran out or was ended.",
    (A.DESTINATION,),
)
DEDUPLICATED = Instrument(
    "otelq.job.deduplicated",
    InstrumentKind.COUNTER,
    "{job}",
    "Starts that found their dedup key held.",
    (A.DESTINATION,),
)
LEASE_LOST = Instrument(
    "otelq.lease.lost",
    InstrumentKind.COUNTER,
    "{lease}",
    "Leases that a worker lost while it held the job.",
    (A.DESTINATION,),
)
CLAIM_EMPTY = Instrument("otelq.claim.empty", InstrumentKind.COUNTER, "{poll}", "Claims that found nothing.")
REPORT_UNKNOWN = Instrument(
    "otelq.report.unknown",
    InstrumentKind.COUNTER,
    "{transition}",
    "Transitions whose commit could not be ascertained; counted nowhere else.",
)
SLOT_LEAKED = Instrument(
    "otelq.worker.slot.leaked",
    InstrumentKind.COUNTER,
    "{slot}",
    "Slots given up because a handler ignored its cancellation.",
    (A.DESTINATION,),
)
DROPPED = Instrument(
    "otelq.telemetry.dropped",
    InstrumentKind.COUNTER,
    "{event}",
    "What the telemetry itself had to leave out.",
    (A.DROP_REASON,),
)
OVERFLOW = Instrument(
    "otelq.telemetry.overflow",
    InstrumentKind.COUNTER,
    "{measurement}",
    "Times that a capped label said _OTHER.",
    (A.LABEL,),
)
THINNED = Instrument(
    "otelq.telemetry.thinned",
    InstrumentKind.COUNTER,
    "{measurement}",
    "Measurements left out of the durations that otelq.telemetry.instrument names, to stay in budget.",
    (A.INSTRUMENT,),
)
ACTIVE = Instrument(
    "otelq.job.active", InstrumentKind.UP_DOWN, "{job}", "Attempts running in this process.", (A.DESTINATION,)
)
CAPACITY = Instrument(
    "otelq.worker.capacity", InstrumentKind.UP_DOWN, "{slot}", "Slots of the workers in this process."
)
LISTENERS = Instrument(
    "otelq.notify.listeners",
    InstrumentKind.UP_DOWN,
    "{listener}",
    "Listeners for hints of other processes, by whether they hear them just now.",
    (A.LISTENER_STATE,),
)

INSTRUMENTS: tuple[Instrument, ...] = (
    SENT,
    CONSUMED,
    OPERATION_DURATION,
    PROCESS_DURATION,
    TRANSITIONS,
    WAIT_DURATION,
    JOB_DURATION,
    CHAIN_DURATION,
    JOB_ATTEMPTS,
    RETRIES,
    REAPED,
    DEDUPLICATED,
    LEASE_LOST,
    CLAIM_EMPTY,
    REPORT_UNKNOWN,
    SLOT_LEAKED,
    DROPPED,
    OVERFLOW,
    THINNED,
    ACTIVE,
    CAPACITY,
    LISTENERS,
)


class CounterName(StrEnum):
    """Counters that are not derived from transitions; ``Telemetry.count`` adds to them."""

    DEDUPLICATED = DEDUPLICATED.name
    LEASE_LOST = LEASE_LOST.name
    CLAIM_EMPTY = CLAIM_EMPTY.name
    REPORT_UNKNOWN = REPORT_UNKNOWN.name
    SLOT_LEAKED = SLOT_LEAKED.name


class ListenerState(StrEnum):
    """States in ``otelq.notify.listeners``."""

    HEARING = "hearing"
    SILENT = "silent"


class Drop(StrEnum):
    """Reasons in ``otelq.telemetry.dropped``."""

    BAD_CONTEXT = "bad_context"
    BAGGAGE = "baggage"
    LINK_LIMIT = "link_limit"
    SPAN_LIMIT = "span_limit"
    SDK_ERROR = "sdk_error"
