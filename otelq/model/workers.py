"""The registry of workers: what a worker reports about itself, and what is known of it; and the leader of a task."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct


class WorkerBeat(Struct, frozen=True, kw_only=True):
    """A worker's report that it is alive, with its present state. The fields are those of ``WorkerRecord``."""

    id: str
    name: str
    host: str
    pid: int
    version: str
    queues: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    refused: Mapping[str, str] = {}
    slots: int
    running: int = 0
    age: float = 0.0
    """Seconds since the worker started."""


class WorkerRecord(Struct, frozen=True, kw_only=True):
    """One live worker, as it was at its latest beat."""

    id: str
    """A random text, another one for each run of a worker."""
    name: str
    """Its name, as leases show it."""
    host: str
    """The name of its machine or container."""
    pid: int
    """The id of its process there."""
    version: str
    """The version of otelq that it runs."""
    queues: tuple[str, ...]
    """The queues that it is limited to; empty if it serves all."""
    types: tuple[str, ...]
    """The names of the job types that it claims."""
    refused: Mapping[str, str]
    """The types among these that it has stopped to claim, with the reason for each."""
    slots: int
    """The number of attempts that it runs at once."""
    running: int
    """The number of its slots in use."""
    started_at: datetime
    """When it started."""
    seen_at: datetime
    """When it was last seen, by the database's clock."""


class Leadership(Struct, frozen=True):
    """The right to do the work called ``name`` alone, until a time."""

    name: str
    """What it is for."""
    holder: str
    """The id of its holder."""
    token: int
    """A number that is higher for every later holder, so that the writes of an earlier one can be refused."""
    until: datetime
    """When it ends unless it is extended, by the database's clock."""
