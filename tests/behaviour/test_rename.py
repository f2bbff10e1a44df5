"""A job type is renamed while two versions of an application run side by side, each with a client and a worker."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

import otelq

Charge = otelq.JobType[int, int]

BEFORE: Charge = otelq.JobType("charge", input=int, output=int)
PREPARED: Charge = otelq.JobType("charge", aliases=["charge-card"], input=int, output=int)
RENAMED: Charge = otelq.JobType("charge-card", aliases=["charge"], input=int, output=int)
AFTER: Charge = otelq.JobType("charge-card", input=int, output=int)
SHIP: otelq.JobType[str, list[int]] = otelq.JobType[str, list[int]]("ship")

KEYS = 20


@dataclass
class Version:
    """One version of the application, which knows the renamed type by these names."""

    charge: Charge
    client: otelq.Client
    charged: Counter[str] = field(default_factory=Counter[str])
    """The number of attempts of each charge that ran here."""

    def jobs(self, *, ships: bool) -> otelq.Jobs:
        jobs = otelq.Jobs()

        @jobs.handles(self.charge)
        async def _charge(attempt: otelq.Attempt[int]) -> int:
            self.charged[attempt.job_id] += 1
            return attempt.input + 1

        async def ship(attempt: otelq.Attempt[str]) -> list[int]:
            return attempt.blockers(self.charge)

        if ships:
            jobs.handles(SHIP)(ship)
        return jobs

    async def once(self, n: int) -> otelq.Chain[int]:
        """Charge at most once for a number."""
        return await self.client.start(self.charge, n, dedup=otelq.Dedup(f"order {n}", scope="any"))


@asynccontextmanager
async def running(url: str, charge: Charge, *, ships: bool = True) -> AsyncGenerator[Version]:
    async with otelq.connect(url) as client:
        version = Version(charge, client)
        async with otelq.Worker(client, version.jobs(ships=ships), poll_interval=0.1):
            yield version


@asynccontextmanager
async def side_by_side(url: str, old: Charge, new: Charge, *, old_ships: bool = True) -> AsyncGenerator[list[Version]]:
    async with running(url, old, ships=old_ships) as one, running(url, new) as other:
        yield [one, other]


async def work_together(one: Version, other: Version, caplog: pytest.LogCaptureFixture) -> None:
    """Start chains by both versions, alone, under shared keys and as blockers; each completes, and runs once."""
    caplog.set_level(logging.WARNING, "otelq")
    versions = one, other
    plain = [(version, await version.client.start(version.charge, n)) for n in range(KEYS) for version in versions]
    keyed = await asyncio.gather(*(version.once(n) for n in range(KEYS) for version in versions))
    ships = [await version.client.start(SHIP, "", blockers=[chain for _, chain in plain[:2]]) for version in versions]
    assert [await version.client.result(chain, timeout=20) for version, chain in plain] == [
        n + 1 for n in range(KEYS) for _ in versions
    ]
    assert [await v.client.result(chain, timeout=20) for v, chain in zip(versions * KEYS, keyed, strict=True)] == [
        n + 1 for n in range(KEYS) for _ in versions
    ]
    assert [await one.client.result(chain, timeout=20) for chain in ships] == [[1, 1], [1, 1]]
    assert [(await version.once(3)).id for version in versions] == [keyed[6].id] * 2
    assert {chain.id for chain in keyed[::2]} == {chain.id for chain in keyed[1::2]}
    ran = one.charged + other.charged
    assert sorted(ran.values()) == [1] * 3 * KEYS
    assert [record.getMessage() for record in caplog.records] == []


STEPS = [(BEFORE, PREPARED), (PREPARED, RENAMED), (RENAMED, AFTER)]


@pytest.mark.parametrize("old, new", STEPS, ids=["alias", "swap", "remove"])
async def test_the_versions_of_each_deploy_work_together(
    backend: str, old: Charge, new: Charge, caplog: pytest.LogCaptureFixture
) -> None:
    async with side_by_side(backend, old, new) as (one, other):
        await work_together(one, other, caplog)


async def test_a_version_that_knows_both_names_works_with_one_that_knows_the_old_one_alone(
    backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with side_by_side(backend, BEFORE, RENAMED, old_ships=False) as (one, other):
        await work_together(one, other, caplog)
        stored = Counter([chain.type async for chain in other.client.iterate_chains(type=RENAMED)])
        assert min(stored["charge"], stored["charge-card"]) >= KEYS


async def test_the_old_name_is_gone_once_no_job_has_it(backend: str) -> None:
    async with otelq.connect(backend) as client:
        chain = await client.start(BEFORE, 1)
        assert (await client.count(type="charge")).number == 1
        async with otelq.Worker(client, Version(RENAMED, client).jobs(ships=True)):
            assert await client.result(otelq.Chain(chain.id, RENAMED), timeout=20) == 2
        assert (await client.count(type="charge", status="open")).number == 0
        await client.delete(chain)
        assert (await client.count(type="charge")).number == 0
