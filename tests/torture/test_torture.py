"""A short torture on each database; `make torture` is the long one."""

from __future__ import annotations

import secrets

import pytest

from otelq_verify.torture import TorturePlan, torture
from tests.servers import PostgresServer

DRIVERS = ("psycopg", "sqlalchemy-asyncpg", "sqlalchemy-psycopg", "asyncpg-pool")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("backend", ["sqlite", "postgres18"], indirect=True)
async def test_nothing_is_lost_doubled_or_contradictory_under_faults(backend: str) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    report = await torture(backend, TorturePlan(seed=seed, seconds=20, workers=2, pace=1.5))
    print(report)
    assert report.is_clean, str(report)
    assert report.strikes
    assert report.effects


@pytest.mark.verify
@pytest.mark.timeout(240)
async def test_nothing_is_lost_through_pools_and_engines_whose_users_are_cancelled(postgres18: PostgresServer) -> None:
    url, seed = postgres18.create_migrated_database(), secrets.randbits(32)
    print(f"seed {seed}")
    report = await torture(url, TorturePlan(seed=seed, seconds=20, workers=4, pace=1.5, drivers=DRIVERS, cancels=0.4))
    print(report)
    postgres18.drop_database(url)
    assert report.is_clean, str(report)
    assert report.strikes
    assert report.effects
    assert any("TimeoutError" in refused for refused in report.refusals), "nobody was cancelled"
