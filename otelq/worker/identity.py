"""The job and the name of an attempt, for logs."""

from __future__ import annotations

from collections.abc import Mapping

from ..definitions import Definition
from ..model import Claimed, job_id


class Identity:
    """A claimed job and its definition; ``str()`` gives the name of the attempt."""

    __slots__ = ("definition", "job")

    def __init__(self, job: Claimed, definition: Definition) -> None:
        self.job = job
        self.definition = definition

    @property
    def job_id(self) -> str:
        """Return the id of the job."""
        return job_id(self.job.lease.chain_id, self.job.lease.position)

    @property
    def labels(self) -> Mapping[str, object]:
        """Return the attributes that log records of the attempt have."""
        return {
            "otelq.chain.id": self.job.lease.chain_id,
            "otelq.job.type": self.definition.name,
            "otelq.job.attempt": self.job.attempt,
        }

    def __str__(self) -> str:
        return f"attempt {self.job.attempt} of {self.definition.name} {self.job_id}"
