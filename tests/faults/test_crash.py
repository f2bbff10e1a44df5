"""Workers killed while they hold leases: nothing is lost, nothing is doubled. The long form is in `tests/torture`."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.torture.crash import CrashRun, Plan

from .conftest import SHARED


@pytest.mark.timeout(150)
@pytest.mark.parametrize("backend", SHARED, indirect=True)
async def test_killed_workers_lose_no_step_and_double_none(backend: str, tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    summary = await CrashRun(backend, tmp_path, Plan(seconds=8, workers=2, seed=seed, kills=6)).run()
    assert summary.is_clean, asdict(summary)
    assert summary.kills >= 6
