"""Jobs, chains and attempts as they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from .new_jobs import read_meta
from .outcomes import Failure
from .transition import Status, Verb, job_id


class ChainOutcome(Struct, frozen=True, kw_only=True):
    """How a chain stands, for somebody who waits for it. ``type`` is the chain's: that of its first job."""

    chain_id: str
    type: str
    status: Status
    """The tail's status."""
    output: str | None = None
    failure: Failure | None = None


class JobRecord(Struct, frozen=True, kw_only=True):
    """One job as it is stored, for people; payloads are JSON text, as the client's codec left them."""

    chain_id: str
    position: int
    type: str
    queue: str
    status: Status
    input: str
    created_at: datetime
    priority: int = 0
    attempt: int = 0
    crashes: int = 0
    run_at: datetime | None = None
    leased_by: str | None = None
    leased_until: datetime | None = None
    closed_at: datetime | None = None
    output: str | None = None
    failure: Failure | None = None
    blocked_by: int = 0
    """How many blocker chains are still awaited."""
    amended_input: str | None = None
    """What replaced ``input``, if it was amended."""
    expires_at: datetime | None = None
    trace: str | None = None
    meta: str | None = None

    @property
    def id(self) -> str:
        """The job's id, as ``Client.job`` takes it."""
        return job_id(self.chain_id, self.position)

    @property
    def tags(self) -> Mapping[str, str]:
        """The chain's tags."""
        return read_meta(self.meta).tags

    @property
    def headers(self) -> Mapping[str, str]:
        """The chain's headers."""
        return read_meta(self.meta).headers

    @property
    def tenant(self) -> str | None:
        """On whose behalf the chain was started."""
        return read_meta(self.meta).tenant

    @property
    def request_id(self) -> str | None:
        """On account of which request the chain was started."""
        return read_meta(self.meta).request_id


class ChainRecord(Struct, frozen=True, kw_only=True):
    """A chain as it is stored: its first job and its tail (the same value for a chain of one)."""

    chain_id: str
    type: str
    head: JobRecord
    tail: JobRecord


class AttemptRecord(Struct, frozen=True, kw_only=True):
    """
    One finished attempt. ``verb`` says how it ended.

    ``generation`` is 0 for attempts since the job was redriven last, or ever; 1 for those before its first redrive.
    A closed job that is redriven leaves an attempt on record even if nothing ran, without token and worker.
    """

    chain_id: str
    position: int
    number: int
    token: int | None
    verb: Verb
    worker: str | None
    started_at: datetime | None
    ended_at: datetime
    failure: Failure | None = None
    trace: str | None = None
    generation: int = 0
