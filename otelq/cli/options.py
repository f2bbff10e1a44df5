"""The options of ``otelq worker``, in the form in which one process gives them to another."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class WorkerOptions(Struct, frozen=True, kw_only=True):
    """The options of a command line; None where nothing was given."""

    targets: tuple[str, ...]
    url: str | None = None
    is_url_given: bool = False
    """The URL is an option of the command line. One of the environment may be meant for others."""
    schema: str | None = None
    concurrency: int | None = None
    poll_interval: float | None = None
    grace: float | None = None
    name: str | None = None
    queues: tuple[str, ...] = ()
    log_level: str = "info"

    @property
    def overrides(self) -> dict[str, Any]:
        """Return the options that replace those of a worker."""
        given = {
            "concurrency": self.concurrency,
            "poll_interval": self.poll_interval,
            "grace": self.grace,
            "name": self.name,
            "queues": self.queues or None,
        }
        return {option: value for option, value in given.items() if value is not None}
