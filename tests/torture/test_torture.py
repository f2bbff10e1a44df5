"""A short torture on each database; `make torture` is the long one."""

from __future__ import annotations

import secrets

import pytest

from otelq.testing.torture import Plan, torture


@pytest.mark.timeout(240)
@pytest.mark.parametrize("backend", ["sqlite", "postgres18"], indirect=True)
async def test_nothing_is_lost_doubled_or_contradictory_under_faults(backend: str) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    report = await torture(backend, Plan(seed=seed, seconds=20, workers=2, pace=1.5))
    print(report)
    assert report.is_clean, str(report)
    assert report.strikes
    assert report.effects
