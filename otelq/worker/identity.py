"""The job that an attempt is of, and how logs name it."""

from __future__ import annotations

from collections.abc import Mapping

from ..definitions import Definition
from ..model import Claimed, job_id


class Identity:
    """A claimed job and its definition; as text, the name of the attempt."""

    __slots__ = ("definition", "job")

    def __init__(self, job: Claimed, definition: Definition) -> None:
        self.job = job
        self.definition = definition

    @property
    def job_id(self) -> str:
        """The id of the job."""
        return job_id(self.job.lease.chain_id, self.job.lease.position)

    @property
    def labels(self) -> Mapping[str, object]:
        """What log records say of the attempt, beside their text."""
        return {
            "otelq.chain.id": self.job.lease.chain_id,
            "otelq.job.type": self.job.type,
            "otelq.job.attempt": self.job.attempt,
        }

    def __str__(self) -> str:
        return f"attempt {self.job.attempt} of {self.job.type} {self.job_id}"
