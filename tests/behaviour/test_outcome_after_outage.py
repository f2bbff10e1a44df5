"""An outcome that could not be stored while the database was away is stored when it is back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

import otelq
from otelq.errors import Unavailable
from otelq.sqlite.state import SqliteState

LEASE = 1.0
jobs = otelq.Jobs()


@jobs.job("outage.work", lease=LEASE)
async def work(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


class Outage:
    """Fails settlements and renewals for longer than a lease, and settlements for a little longer than renewals."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._settle, self._renew = SqliteState.settle, SqliteState.renew
        self._ends = 0.0
        self.failures_since = 0
        """Settlements that failed although a renewal had succeeded since."""
        self.renewed = asyncio.Event()
        outage = self

        async def settle(state: SqliteState, settlements: Sequence[Any], **options: Any) -> Any:
            outage._ends = outage._ends or time.monotonic() + 1.3 * LEASE
            if outage.renewed.is_set():
                outage.failures_since += 1
            if outage.failures_since < 4:
                raise Unavailable("the database is away")
            return await outage._settle(state, settlements, **options)

        async def renew(state: SqliteState, renewals: Sequence[Any], **options: Any) -> Any:
            if outage._ends and time.monotonic() < outage._ends:
                raise Unavailable("the database is away")
            found = await outage._renew(state, renewals, **options)
            if outage._ends:
                outage.renewed.set()
            return found

        monkeypatch.setattr(SqliteState, "settle", settle)
        monkeypatch.setattr(SqliteState, "renew", renew)


async def test_an_outcome_outlives_an_outage_that_is_longer_than_its_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otelq.loop.LONGEST_BACK_OFF", 0.05)
    async with otelq.connect("memory:") as client, otelq.Worker(client, jobs):
        outage = Outage(monkeypatch)

        chain = await client.start(work, 7)

        assert await client.result(chain, timeout=20) == 7
        assert outage.failures_since >= 4
        assert [attempt.verb for attempt in await client.attempts(f"{chain.id}.0")] == ["complete"]
