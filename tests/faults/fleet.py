"""Worker processes of `tests.faults.work`, as a fleet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from otelq_verify.torture import fleet
from otelq_verify.torture.fleet import wait_for

__all__ = ["ROOT", "Fleet", "wait_for"]

ROOT = Path(__file__).parents[2]


class Fleet(fleet.Fleet):
    """The worker processes of one test, which serve one of its collections."""

    def __init__(self, url: str, folder: Path, *, serve: str, options: Sequence[str] = ()) -> None:
        def command(name: str) -> Sequence[str]:
            return ("-m", "tests.faults.work", url, name, serve, str(folder))

        super().__init__(command, folder, options=options)
