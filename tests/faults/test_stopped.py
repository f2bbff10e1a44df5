"""A worker process that is stopped past its lease and then goes on has lost its say, whatever it wants to say."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import dataclass

import pytest

import otelq
from otelq_verify.invariants import violations
from otelq_verify.torture.fleet import Process
from tests.conftest import marks_of, on_every

from . import handlers
from .conftest import SHARED, FreshDatabase
from .fleet import Fleet, wait_for
from .observer import Observer

# On SQLite a stopped process that has written in `completion()` holds the only write lock: nobody can take its job.
VERBS = ["complete", "continue", "retry", "fail"]
CASES = [(backend, verb) for backend in SHARED for verb in (*VERBS, "write") if (backend, verb) != ("sqlite", "write")]


@dataclass
class Aftermath:
    """What stands after one worker was stopped, another did its jobs, and the first went on."""

    url: str
    fleet: Fleet
    chains: dict[str, otelq.Chain[str]]
    dream: otelq.Chain[str]


@pytest.fixture(scope="module")
def played() -> dict[str, Aftermath]:
    return {}


@pytest.fixture
def scene(
    request: pytest.FixtureRequest,
    played: dict[str, Aftermath],
    fresh_database: FreshDatabase,
    tmp_path_factory: pytest.TempPathFactory,
) -> Aftermath:
    """The scenario, played once for each backend in whatever order the tests come."""
    backend: str = request.param
    if backend not in played:
        folder = tmp_path_factory.mktemp(f"stopped-{backend}")
        url = fresh_database(backend, folder)
        verbs = [verb for case, verb in CASES if case == backend]
        with Fleet(url, folder, serve="frozen") as fleet:
            played[backend] = asyncio.run(start(url, fleet, verbs))
            stop_and_continue(played[backend])
    return played[backend]


async def start(url: str, fleet: Fleet, verbs: list[str]) -> Aftermath:
    parties = len(verbs) + 1
    async with otelq.connect(url) as client:
        Observer(url).make_ledger()
        dream = await client.start(handlers.dream, parties)
        chains = {verb: await client.start(handlers.deed, handlers.Deed(verb, parties)) for verb in verbs}
    return Aftermath(url, fleet, chains, dream)


def freeze_between_writes(process: Process, url: str) -> None:
    """Stop a process where it holds no lock on a whole file: nobody else could write then, as long as it is stopped."""
    process.freeze()
    while is_locked(url):
        process.thaw()
        process.freeze()


def is_locked(url: str) -> bool:
    """Return True if the database is a file, and a process is writing to it."""
    if not url.startswith("sqlite"):
        return False
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=0.1, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        return False


def stop_and_continue(scene: Aftermath) -> None:
    """The stopped worker acts while others hold all its jobs: a lease each, since each may hold one suspect only."""
    fleet, observer = scene.fleet, Observer(scene.url)
    parties = len(scene.chains) + 1
    stopped = fleet.start()
    wait_for(lambda: fleet.noted("stands"), "the handlers have gathered")
    freeze_between_writes(stopped, scene.url)
    fleet.start("--workers", str(parties))
    wait_for(lambda: len(fleet.noted("took")) == parties, "the others have taken all jobs over")
    (fleet.folder / "go").touch()
    stopped.thaw()
    wait_for(lambda: len(fleet.noted("acts")) == len(scene.chains), "the stopped handlers have acted")
    wait_for(lambda: fleet.noted("cancelled"), "the sleeping handler is cancelled")
    fleet.end(stopped)
    (fleet.folder / "finish").touch()
    wait_for(lambda: not observer.open_chains(), "the others have done all jobs")
    fleet.end()


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "scene, verb", [pytest.param(*case, marks=marks_of(case[0])) for case in CASES], indirect=["scene"]
)
async def test_a_worker_stopped_past_its_lease_cannot(scene: Aftermath, verb: str) -> None:
    assert f"{verb} None" in scene.fleet.noted("acts"), "it acted before it knew of its lost lease"
    async with otelq.connect(scene.url, migrate=False) as client:
        chain = scene.chains[verb]
        assert await client.result(chain, timeout=5) == f"{verb} by another"
        record = await client.chain(chain)
        assert (record.tail.position, record.tail.status, record.tail.attempt) == (0, otelq.Status.COMPLETED, 2)
        reaped, completed = await client.attempts(f"{chain.id}.0")
        assert (reaped.verb, reaped.worker) == ("reap", "w1")
        assert completed.verb == "complete"
        assert str(completed.worker).startswith("w2")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("scene", on_every(*SHARED), indirect=True)
async def test_its_handler_is_cancelled_and_told_that_the_lease_is_lost(scene: Aftermath) -> None:
    assert scene.fleet.noted("cancelled") == [str(otelq.CancelReason.LEASE_LOST)]
    async with otelq.connect(scene.url, migrate=False) as client:
        assert await client.result(scene.dream, timeout=5) == "dreamt by another"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("scene", on_every(*SHARED), indirect=True)
async def test_it_leaves_no_write_and_no_contradiction(scene: Aftermath) -> None:
    assert Observer(scene.url).ledger() == []
    assert await violations(scene.url) == []
