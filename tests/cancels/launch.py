"""Runs the calls of one driver in a process of its own, and says how that ended."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass

from .process import PATIENCE, QUIET

SLACK = 60.0
"""Seconds to start, compare and end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended, and what it said."""

    how: str
    said: str

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not self.how


def cancel(url: str, driver: str, *, seconds: float, seed: int, only: str = "") -> Ended:
    """Cancel calls for so long; a crash and a hang are seen from outside."""
    command = [sys.executable, "-m", "tests.cancels.process", url, driver, str(seconds), str(seed), only]
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds + PATIENCE + QUIET + SLACK,
        )
    except subprocess.TimeoutExpired as expired:
        return Ended(how="hangs", said=(expired.stdout or b"").decode(errors="replace"))
    return Ended(how=_how(done.returncode), said=done.stdout)


def _how(code: int) -> str:
    if code < 0:
        return f"crashed with {signal.Signals(-code).name}"
    return {0: "", 3: "a call hangs"}.get(code, "faults" if code == 1 else f"ended with {code}")
