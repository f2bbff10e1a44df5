"""The messages between a worker and a handler process: JSON, each after its length; never pickle."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

from msgspec import Struct
from msgspec.json import Decoder, Encoder

from ..definitions import AllOf, AnyOf, Blockers, Chain, CheckedBlockers, JobType
from ..model import CancelReason, ChainOutcome, Failure, Meta, Until

PREFIX = 4
"""Bytes before each message that hold its length."""
MARGIN = 1 << 20
"""Bytes that a reply may have besides its payload."""


class RunRequest(Struct, frozen=True, tag_field="is", tag=True, kw_only=True):
    """Run this attempt. ``module`` and ``name`` locate the handler; payloads are JSON text."""

    module: str
    name: str
    input: str
    number: int
    chain_id: str
    job_id: str
    token: int
    meta: Meta
    blockers: list[ChainOutcome]
    """The state of the blocker chains, in order."""
    time_left: float | None
    stop_reason: CancelReason | None
    carrier: Mapping[str, str]
    payload_limit: int
    """Bytes of the largest payload that may come back."""


class Stop(Struct, frozen=True, tag_field="is", tag=True):
    """The attempt should finish."""

    reason: CancelReason | None


class Ping(Struct, frozen=True, tag_field="is", tag=True):
    """Send this token back; sent before a process is used again."""

    token: int


class Returned(Struct, frozen=True, tag_field="is", tag=True):
    """The handler returned an output."""

    output: str


class Continued(Struct, frozen=True, tag_field="is", tag=True, kw_only=True):
    """The handler returned a continuation."""

    type: str
    queue: str
    input: str
    delay: float | None
    at: datetime | None
    priority: int | None
    blockers: CheckedBlockers


class Snoozed(Struct, frozen=True, tag_field="is", tag=True):
    """The handler raised ``Snooze``."""

    delay: float


class Waiting(Struct, frozen=True, tag_field="is", tag=True):
    """The handler raised ``WaitFor``."""

    blockers: CheckedBlockers


class Failed(Struct, frozen=True, tag_field="is", tag=True):
    """The handler raised ``Fail``."""

    reason: str


class RetryLater(Struct, frozen=True, tag_field="is", tag=True):
    """The handler raised ``RetryAfter``, from an exception or on its own."""

    delay: float
    cause: Failure | None


class Raised(Struct, frozen=True, tag_field="is", tag=True):
    """The handler raised something else; ``exception_classes`` holds the names of its classes, the nearest first."""

    failure: Failure
    exception_classes: tuple[str, ...]


Reply: TypeAlias = Returned | Continued | Snoozed | Waiting | Failed | RetryLater | Raised


class Answer(Struct, frozen=True, tag_field="is", tag=True):
    """The reply of the attempt with this token; None answers a ping."""

    token: int
    reply: Reply | None


_encoder = Encoder()
read_message = Decoder(RunRequest | Stop | Ping).decode
read_answer = Decoder(Answer).decode


def largest_answer(request: RunRequest) -> int:
    """Return the largest size of an answer in bytes: JSON text in JSON may double, with a backslash for each quote."""
    return 2 * request.payload_limit + MARGIN


def frame(message: RunRequest | Stop | Ping | Answer) -> bytes:
    """Return the bytes of a message in the pipe."""
    text = _encoder.encode(message)
    return len(text).to_bytes(PREFIX) + text


def untyped_job(type: str, queue: str = "default") -> JobType[Any, Any]:
    """Return a job type that is known by name only; its payloads are plain JSON."""
    return JobType[Any, Any](type, queue=queue)


def blockers_of(blockers: CheckedBlockers) -> Blockers:
    """Return the blockers for this part of a message."""
    chains = [Chain[Any](id, untyped_job("unknown")) for id in blockers.ids]
    if blockers.until is Until.ANY:
        return AnyOf(chains, on_failure=blockers.on_failure.value)
    return AllOf(chains, on_failure=blockers.on_failure.value)
