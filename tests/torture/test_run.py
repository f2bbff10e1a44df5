"""A run of torture refuses what is in use, cleans up behind itself, and says what went wrong."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

import otelq
from otelq_verify.commands import main
from otelq_verify.torture import TorturePlan, torture
from otelq_verify.torture.fleet import wait_for
from otelq_verify.torture.handlers import Pace, leaf
from otelq_verify.torture.plan import SCHEMA
from otelq_verify.torture.scene import RunScene
from otelq_verify.torture.strikes import in_order
from otelq_verify.torture.tables import HISTORY, execute


@dataclass(frozen=True)
class Doubling:
    """A fault that no library could survive: it writes an effect twice."""

    name: str = "an effect doubled"

    def suits(self, scene: object) -> bool:
        return True

    async def strike(self, scene: RunScene) -> str | None:
        client = await scene.view.client()
        async with client.transaction() as tx:
            await execute(tx, f"INSERT INTO {HISTORY} SELECT * FROM {HISTORY} WHERE kind = 'effect' LIMIT 1")
        return "an effect"


@pytest.mark.timeout(120)
async def test_a_doubled_effect_is_told(sqlite_url: str) -> None:
    report = await torture(sqlite_url, TorturePlan(seed=1, seconds=6, workers=1, pace=1.5), faults=[Doubling()])
    assert not report.is_clean
    assert {violation.invariant for violation in report.violations} == {"I13"}, str(report)
    assert "effect" in str(report).partition("violated")[2]


async def test_a_schema_that_holds_jobs_is_left_alone(sqlite_url: str) -> None:
    async with otelq.connect(sqlite_url, schema=SCHEMA) as client:
        chain = await client.start(leaf, Pace(0))
        with pytest.raises(otelq.InvalidArgument, match="otelq_torture holds jobs"):
            await torture(sqlite_url, TorturePlan(seed=1, seconds=1))
        assert (await client.chain(chain)).tail.status is otelq.Status.READY


async def test_who_may_not_create_tables_is_told(postgres_url: str) -> None:
    with pytest.raises(otelq.InvalidArgument, match="may not create tables"):
        await torture(f"{postgres_url}?search_path=nowhere", TorturePlan(seed=1, seconds=1))


@pytest.mark.timeout(120)
def test_the_command_prints_and_keeps_its_report_and_cleans_up(tmp_path: Path) -> None:
    file, report = tmp_path / "app.db", tmp_path / "report.json"
    options = ["--seed", "7", "--seconds", "4", "--workers", "1", "--pace", "1", "--json", str(report)]
    result = CliRunner().invoke(main, ["torture", f"sqlite:///{file}", *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert "violated: nothing" in result.output
    kept = json.loads(report.read_text())
    assert kept["clean"]
    assert kept["plan"]["seed"] == 7
    with closing(sqlite3.connect(file)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type <> 'index'")]
        assert all(name.startswith((SCHEMA, "sqlite_")) for name in tables), tables
        assert connection.execute(f"SELECT count(*) FROM {SCHEMA}_job").fetchone() == (0,)


@pytest.mark.timeout(120)
def test_workers_do_not_outlive_a_run_that_is_killed(tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "otelq_verify", "torture", f"sqlite:///{tmp_path}/app.db", "--workers", "1"]
    run = subprocess.Popen([*arguments, "--pace", "100"], env={**os.environ, "TMPDIR": str(tmp_path)})
    try:
        wait_for(lambda: list(tmp_path.glob("otelq-torture-*/notes")), "a worker is up")
    finally:
        run.kill()
        run.wait()
    wait_for(lambda: not _workers_on(tmp_path), "the worker has ended")


def _workers_on(folder: Path) -> list[str]:
    commands = subprocess.run(["ps", "-eo", "args"], check=True, capture_output=True, text=True).stdout.splitlines()
    return [command for command in commands if "torture.work" in command and str(folder) in command]


def test_a_seed_says_in_which_order_faults_strike_and_each_strikes_before_any_does_again() -> None:
    faults = [Doubling("a"), Doubling("b"), Doubling("c")]
    orders = [in_order(faults, random.Random(5)) for _ in range(2)]
    first, second = ([next(order).name for _ in range(6)] for order in orders)
    assert first == second
    assert sorted(first[:3]) == sorted(first[3:]) == ["a", "b", "c"]
