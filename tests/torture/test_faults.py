"""Each fault of a torture run does what it says, and workers come through it."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import psycopg
import pytest

import otelq
from otelq_verify.torture.faults import FAULTS, Fault, Kill, Proxy
from otelq_verify.torture.faults.database import FailOver, FullDisk, Restart
from otelq_verify.torture.faults.link import CLEAR, LinkConditions
from otelq_verify.torture.faults.processes import Suspend
from otelq_verify.torture.faults.storms import BOTH, Storm
from otelq_verify.torture.fleet import Process
from otelq_verify.torture.scene import RunScene
from tests.conftest import StartServer
from tests.faults import handlers

from .disks import can_mount
from .servers import tortured
from .stage import BACKLOG, PATIENCE, Stage, stage

pytestmark = pytest.mark.timeout(180)


def brief(fault: Fault) -> Fault:
    """The same for a second at most; a run gives it more."""
    return replace(fault, shortest=0.5, longest=1.0) if isinstance(fault, (Storm, FullDisk)) else fault


BRISK = handlers.Walk([0, 0, 0], [0, 0, 0])
BRIEFLY = [brief(fault) for fault in FAULTS]
OF_A_DISK = [fault for fault in BRIEFLY if isinstance(fault, FullDisk) and can_mount()]
OF_A_SERVER = [fault for fault in BRIEFLY if isinstance(fault, (Restart, FailOver))]
ON_SQLITE = [fault for fault in BRIEFLY if fault.name in ("kill one", "stop past the lease", "hints unreliable")]
ON_POSTGRES = [fault for fault in BRIEFLY if not isinstance(fault, (Restart, FailOver, FullDisk))]


@pytest.fixture(scope="module")
def on_postgres(postgres_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    server = postgres_server(18)
    url = server.create_migrated_database()
    with stage(url, tmp_path_factory.mktemp("postgres")) as scene:
        yield scene
    server.drop_database(url)


@pytest.fixture(scope="module")
def on_a_server_of_ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with tortured("postgres18") as server, stage(server.url, tmp_path_factory.mktemp("ours"), server=server) as scene:
        yield scene


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with tortured("sqlite") as server, stage(server.url, tmp_path_factory.mktemp("sqlite"), server=server) as scene:
        yield scene


def named(fault: Fault) -> str:
    return fault.name.replace(" ", "-")


@pytest.mark.parametrize("fault", ON_POSTGRES, ids=named)
async def test_workers_on_postgres_come_through(fault: Fault, on_postgres: Stage) -> None:
    print(await on_postgres.survive(fault))


@pytest.mark.parametrize("fault", [*OF_A_SERVER, *OF_A_DISK], ids=named)
async def test_workers_on_a_server_of_ours_come_through(fault: Fault, on_a_server_of_ours: Stage) -> None:
    print(await on_a_server_of_ours.survive(fault))


@pytest.mark.parametrize("fault", [*ON_SQLITE, *OF_A_DISK[:1]], ids=named)
async def test_workers_on_sqlite_come_through(fault: Fault, on_sqlite: Stage) -> None:
    print(await on_sqlite.survive(fault))


# What they do


async def test_a_killed_worker_is_dead_and_another_in_its_place(on_sqlite: Stage) -> None:
    before = tuple(on_sqlite.fleet.processes)
    hit = await on_sqlite.survive(Kill("kill one", "one"))
    [dead] = [process for process in before if not process.is_alive]
    assert hit.startswith(f"{dead.name} with ")
    assert len(on_sqlite.fleet.processes) == len(before)


async def test_a_worker_that_stood_past_its_lease_has_lost_its_say(on_postgres: Stage) -> None:
    async with on_postgres.scene() as scene, otelq.connect(on_postgres.url, migrate=False) as client:
        chain = await client.start(handlers.first_step, handlers.Walk([handlers.LEASE, 0, 0], [0, 0, 0]))
        while not (hit := await Suspend("stop", past_lease=True).strike(scene)):  # noqa: ASYNC110  # leases are rows
            await asyncio.sleep(0.02)
        await client.result(chain, timeout=PATIENCE)
        reaped, continued = await client.attempts(f"{chain.id}.0")
    assert hit == f"{reaped.worker}, which lost 1 of 1 leases"
    assert (reaped.verb, continued.verb) == ("reap", "continue")
    assert continued.token != reaped.token  # it may have claimed the job again: that is another attempt


async def test_after_a_fail_over_what_was_committed_is_there_and_the_old_server_is_not(
    on_a_server_of_ours: Stage,
) -> None:
    before = on_a_server_of_ours.url
    async with on_a_server_of_ours.scene() as scene, otelq.connect(before, migrate=False) as client:
        chain = await client.start(handlers.first_step, BRISK)
        await FailOver("fail-over").strike(scene)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(before)
    async with otelq.connect(on_a_server_of_ours.url, migrate=False) as client:
        assert (await client.chain(chain)).chain_id == chain.id


@pytest.mark.parametrize("fault", OF_A_DISK[:1], ids=named)
async def test_a_full_disk_takes_nothing_and_afterwards_everything(fault: Fault, on_sqlite: Stage) -> None:
    async with on_sqlite.scene() as scene, otelq.connect(on_sqlite.url, migrate=False) as client:
        striking = asyncio.create_task(replace(cast(FullDisk, fault), shortest=60, longest=60).strike(scene))
        with pytest.raises(otelq.Unavailable, match="full"):  # noqa: PT012  # what is left of the log is used up first
            while True:  # many fit, and come before the one that is waited for: quick ones
                fitting = await client.start_many(handlers.first_step, [BRISK] * BACKLOG)
                on_sqlite.started += [chain.id for chain in fitting]
        striking.cancel()
        await asyncio.wait([striking])
        await client.result(await client.start(handlers.first_step, BRISK), timeout=PATIENCE)
    await on_sqlite.until_done()
    await on_sqlite.judge()


# Interrupted


async def interrupted(fault: Fault, scene: RunScene) -> None:
    """Let a fault strike, and cancel it as soon as it has begun to."""
    striking = asyncio.create_task(fault.strike(scene))
    await asyncio.wait([striking], timeout=0.3)
    assert striking.cancel(), "it was over before"
    await asyncio.wait([striking])
    assert striking.cancelled()


async def test_a_storm_that_is_interrupted_is_over(on_postgres: Stage) -> None:
    network = on_postgres.network
    assert isinstance(network, Proxy)
    async with on_postgres.scene() as scene:
        await interrupted(Storm("long", LinkConditions(deaf=BOTH), 60, 60), scene)
    assert network._conditions == CLEAR
    await on_postgres.until_done()


async def test_a_stop_that_is_interrupted_lets_the_process_go_on(on_postgres: Stage) -> None:
    async with on_postgres.scene() as scene, on_postgres.fed():
        await on_postgres.until_busy()
        await interrupted(Suspend("long", past_lease=True), replace(scene, lease=60.0))
    for process in on_postgres.fleet.processes:
        assert not await asyncio.to_thread(stands, process)
    await on_postgres.until_done()


def stands(process: Process) -> bool:
    """Whether a signal has stopped it."""
    told = subprocess.check_output(["ps", "-o", "state=", "-p", str(process._process.pid)], text=True)
    return told.startswith("T")


async def test_a_fail_over_that_is_interrupted_is_finished_before(on_a_server_of_ours: Stage) -> None:
    before = on_a_server_of_ours.url
    async with on_a_server_of_ours.scene() as scene:
        striking = asyncio.create_task(FailOver("fail-over").strike(scene))
        await asyncio.sleep(0)
        striking.cancel()
        await asyncio.wait([striking])
        assert striking.cancelled()
        assert on_a_server_of_ours.url != before
        await FailOver("fail-over").strike(scene)  # there is a standby
