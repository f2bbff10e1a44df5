"""The facts of a run besides the history of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct


class Facts(Struct, frozen=True, kw_only=True):
    """The facts that clients and the plan know of a run; times in seconds."""

    committed: frozenset[str] = frozenset()
    """Ids of chains whose start was acknowledged."""
    rolled_back: frozenset[str] = frozenset()
    """Ids of chains whose transaction ended for certain without a commit."""
    leases: Mapping[str, float] = {}
    """The length of a lease, by job type."""
    reap_interval: float = 5.0
    outages: Sequence[tuple[datetime, datetime]] = ()
    """When the database could not be reached, or no worker was there."""
    crashes: Sequence[tuple[datetime, datetime]] = ()
    """When the server went down, and when it was back: it may have forgotten claims, which do not wait for the disk."""
    done_in_time: bool = True
    """Whether all chains were to have ended when the history ends."""
    patience: float = 15.0
    """
    What a loaded machine may add to a span that is promised: to the return of a lost lease, to the release of a
    dependent, and to the time that a job may be passed over by claims.
    """

    def may_be_forgotten(self, at: datetime, lease: float) -> bool:
        """Return True if a worker may act at this time under a lease that a crash forgot, without knowing it."""
        late = timedelta(seconds=lease + self.patience)
        return any(begun <= at <= ended + late for begun, ended in self.crashes)

    def allowed(self, since: datetime, seconds: float) -> datetime:
        """Return the end of a span that begins then, with patience, and longer by the outages in it."""
        end = since + timedelta(seconds=seconds + self.patience)
        for begun, ended in sorted(self.outages):
            if begun < end and ended > since:
                end += ended - max(begun, since)
        return end
