"""A database that refuses whatever one job came to must not stop the worker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pytest

import otelq
from otelq.errors import Refused
from otelq.model import Settled, Settlement, SettleResult
from otelq.ports.state import Transaction

from ..stores import PrivateState

jobs = otelq.Jobs()


@jobs.job("cursed", lease=1)
async def cursed(attempt: otelq.Attempt[None]) -> None: ...


@jobs.job("plain")
async def plain(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


class RefusesTheCursed(PrivateState):
    """Stores nothing that a worker says of a cursed job; the row may seem to be locked at first."""

    def __init__(self, busy: int) -> None:
        super().__init__()
        self.busy = busy

    async def settle(
        self, settlements: Sequence[Settlement], *, tx: Transaction | None = None, now: datetime | None = None
    ) -> Settled:
        if [settlement.job.type for settlement in settlements] == ["cursed"] and self.busy:
            self.busy -= 1
            return Settled(results=(SettleResult.BUSY,), transitions=(), claimed_successors={})
        if any(settlement.job.type == "cursed" for settlement in settlements):
            raise Refused("this value, or any other")
        return await super().settle(settlements, tx=tx, now=now)


@pytest.mark.parametrize("busy", [0, 1], ids=["at once", "after it was locked"])
async def test_a_job_whose_failure_is_refused_too_is_left_to_its_lease_and_others_go_on(busy: int) -> None:
    async with otelq.connect(RefusesTheCursed(busy)) as client:
        chains = [await client.start(plain, number) for number in range(5)]
        doomed = await client.start(cursed, None)
        chains += [await client.start(plain, number) for number in range(5, 10)]
        async with otelq.Worker(client, jobs, reap_interval=0.1, max_crashes=1):
            assert [await client.result(chain, timeout=10) for chain in chains] == list(range(10))
            with pytest.raises(otelq.ChainFailed, match="lease"):
                await client.result(doomed, timeout=10)
        assert (await client.chain(doomed)).tail.crashes == 1
