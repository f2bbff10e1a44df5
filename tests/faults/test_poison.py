"""One job that ends its process must not take its neighbours with it."""

from __future__ import annotations

import random
import secrets
from collections import Counter
from pathlib import Path

import pytest

import otelq
from otelq_verify.invariants import violations
from tests.conftest import on_every

from . import handlers
from .conftest import SHARED
from .fleet import Fleet, wait_for
from .observer import Observer

NEIGHBOURS = 1000
MAX_CRASHES = 5
CONCURRENCY = 50


@pytest.mark.timeout(120)
@pytest.mark.parametrize("backend", on_every(*SHARED), indirect=True)
async def test_a_job_that_kills_its_worker_ends_failed_and_its_neighbours_do_not(backend: str, tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    async with otelq.connect(backend) as client:
        early, late = ([chance.uniform(0.02, 0.3) for _ in range(NEIGHBOURS // 2)] for _ in range(2))
        neighbours = await client.start_many(handlers.neighbour, early)
        killer = await client.start(handlers.poison, None)
        neighbours += await client.start_many(handlers.neighbour, late)
    deaths = run_to_the_end(backend, tmp_path)
    async with otelq.connect(backend) as client:
        ended = await client.chain(killer)
    assert (ended.tail.status, ended.tail.crashes) == (otelq.Status.FAILED, MAX_CRASHES)
    assert deaths == MAX_CRASHES
    assert Observer(backend).statuses() == {"completed": NEIGHBOURS, "failed": 1}
    lines = (tmp_path / "notes").read_text().splitlines()
    ran = Counter(line.removeprefix("ran ").removesuffix(".0") for line in lines if line.startswith("ran "))
    assert ran.keys() == {neighbour.id for neighbour in neighbours}
    reaped = Observer(backend).reaped()
    lost = Counter(chain for chain, _ in reaped)
    assert {chain: times for chain, times in ran.items() if times > 1 + lost[chain]} == {}, "ran again without a cause"
    took = Counter(worker for _, worker in reaped)
    dead = {worker for chain, worker in reaped if chain == killer.id}
    assert len(dead) == MAX_CRASHES
    assert all(took[worker] <= CONCURRENCY for worker in dead), "a worker took more with it than it may hold"
    assert await violations(backend) == []


def run_to_the_end(url: str, folder: Path) -> int:
    """Let two workers do all jobs, replacing each that dies; returns how many died."""
    options = ["--concurrency", str(CONCURRENCY), "--max-crashes", str(MAX_CRASHES), "--reap-interval", "0.3"]
    observer = Observer(url)
    deaths = 0

    def is_done() -> bool:
        nonlocal deaths
        deaths += fleet.replace_dead()
        return not observer.open_chains()

    with Fleet(url, folder, serve="crowd", options=options) as fleet:
        fleet.start()
        fleet.start()
        wait_for(is_done, "all jobs have ended", patience=90)
        deaths += fleet.replace_dead()
        fleet.end()
    return deaths
