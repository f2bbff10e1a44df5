"""Jobs, chains and attempts as they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from .new_jobs import read_meta
from .outcomes import Failure
from .transition import Status, Verb, job_id


class ChainOutcome(Struct, frozen=True, kw_only=True):
    """The state of a chain, for those who wait for it."""

    chain_id: str
    """The id of the chain."""
    type: str
    """The type of its first job."""
    status: Status
    """The status of its last job."""
    output: str | None = None
    """The output as JSON text, as it is stored; None if the chain did not complete."""
    failure: Failure | None = None
    """The error with which it failed; None if it did not."""


class JobRecord(Struct, frozen=True, kw_only=True):
    """One job as it is stored. Payloads are JSON text, as the client's codec stored them."""

    chain_id: str
    """The id of its chain."""
    position: int
    """Its position in the chain, from 0."""
    type: str
    """The name of its type."""
    queue: str
    """Its queue."""
    status: Status
    """Its status."""
    input: str
    """The input with which it was created."""
    created_at: datetime
    """When it was created."""
    priority: int = 0
    """-100 to 100; lower numbers run first."""
    attempt: int = 0
    """The number of attempts since the job was created or redriven, the running one included."""
    crashes: int = 0
    """The number of leases of started attempts that ran out."""
    run_at: datetime | None = None
    """When it is due, or was."""
    leased_by: str | None = None
    """The name of the worker that runs it; None while none does."""
    leased_until: datetime | None = None
    """When the lease runs out if it is not renewed."""
    closed_at: datetime | None = None
    """When it closed; None while it is open."""
    closed_by: str | None = None
    """The verb that closed the job, such as ``cancel`` or ``expire``; None while it is open."""
    output: str | None = None
    """The output of its chain, if this job completed it."""
    failure: Failure | None = None
    """The error with which it failed."""
    blocked_by: int = 0
    """The number of blockers that are still open."""
    amended_input: str | None = None
    """The input that replaced ``input``, if it was amended."""
    expires_at: datetime | None = None
    """When it is cancelled if it was not started by then."""
    trace: str | None = None
    """The stored trace context, for otelq's own use."""
    meta: str | None = None
    """The stored tags, headers, tenant and request id, for otelq's own use."""

    @property
    def id(self) -> str:
        """Return the id of the job: the id of its chain, a dot, and its position."""
        return job_id(self.chain_id, self.position)

    @property
    def tags(self) -> Mapping[str, str]:
        """Return the tags of the chain."""
        return read_meta(self.meta).tags

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers of the chain."""
        return read_meta(self.meta).headers

    @property
    def tenant(self) -> str | None:
        """Return the tenant to which the chain belongs."""
        return read_meta(self.meta).tenant

    @property
    def request_id(self) -> str | None:
        """Return the id of the request that started the chain."""
        return read_meta(self.meta).request_id


class ChainRecord(Struct, frozen=True, kw_only=True):
    """A chain as it is stored. In a chain of one job, ``head`` and ``tail`` are the same."""

    chain_id: str
    """The id of the chain."""
    type: str
    """The type of its first job."""
    head: JobRecord
    """Its first job."""
    tail: JobRecord
    """Its last job, whose status is that of the chain."""


class AttemptRecord(Struct, frozen=True, kw_only=True):
    """
    One finished attempt.

    A closed job that is redriven leaves an attempt on record even if nothing ran, without token and worker.
    """

    chain_id: str
    """The id of the chain."""
    position: int
    """The position of the job in its chain, from 0."""
    number: int
    """The number of the attempt, from 1."""
    token: int | None
    """The random number that identifies the attempt, with the id of the job."""
    verb: Verb
    """How it ended."""
    worker: str | None
    """The name of the worker that ran it."""
    started_at: datetime | None
    """When it was claimed."""
    ended_at: datetime
    """When it ended."""
    failure: Failure | None = None
    """The error with which it ended; None if there was none."""
    trace: str | None = None
    """The stored trace context, for otelq's own use."""
    generation: int = 0
    """The number of redrives since: 0 for attempts after the latest, or where there was none."""
