"""PostgreSQL crashes and comes back under running workers, or is not there at all."""

from __future__ import annotations

import asyncio
import random
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import otelq
from otelq_verify.invariants import violations
from tests.servers import PostgresServer, postgres

from . import handlers
from .fleet import Fleet, wait_for
from .observer import Observer

RESTARTS = 4
STARTERS = 8


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server of the test's own, whose commits survive a crash."""
    with postgres(18, durable=True) as server:
        yield server


async def insist(client: otelq.Client, walk: handlers.Walk) -> str:
    """Start a chain under an id of its own until it is known to be there."""
    id = otelq.new_id()
    while True:
        try:
            return (await client.start(handlers.first_step, walk, id=id)).id
        except otelq.AlreadyExists:
            return id  # of a try whose reply was lost
        except otelq.Unavailable:
            await asyncio.sleep(0.02)


async def keep_starting(client: otelq.Client, chance: random.Random, started: list[str]) -> None:
    """Until cancelled; the start that is under way then may come to be all the same."""
    while True:
        walk = handlers.Walk(
            [chance.uniform(0.01, 0.06) for _ in range(3)], [chance.uniform(0, 0.02) for _ in range(3)]
        )
        started.append(await insist(client, walk))
        await asyncio.sleep(0.05)


@pytest.mark.timeout(120)
async def test_a_database_that_crashes_under_running_workers_loses_and_doubles_nothing(
    server: PostgresServer, tmp_path: Path
) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    url = server.create_database()
    observer = Observer(url)
    started: list[str] = []
    with Fleet(url, tmp_path, serve="walks") as fleet:
        async with otelq.connect(url) as client:
            observer.make_ledger()
            fleet.start()
            fleet.start()
            fleet.wait_until_up()
            starters = [asyncio.create_task(keep_starting(client, chance, started)) for _ in range(STARTERS)]
            for _ in range(RESTARTS):
                await progress(observer)
                await asyncio.to_thread(server.restart, "immediate")
            await progress(observer)
            for starter in starters:
                starter.cancel()
            await asyncio.wait(starters)
        wait_for(lambda: not observer.open_chains(), "all chains have ended")
        fleet.end()
    known = {chain_id for [chain_id] in observer.rows("SELECT DISTINCT CAST(chain_id AS text) FROM {job}")}
    assert known >= set(started), "a chain that was started is there"
    rows = [(chain, position) for chain, position, _, _ in observer.ledger()]
    assert sorted(rows) == sorted((chain, position) for chain in known for position in range(handlers.STEPS))
    assert observer.statuses() == {"completed": len(known), "continued": 2 * len(known)}
    assert await violations(url, ledger="ledger") == []


async def progress(observer: Observer) -> None:
    """Wait until another twenty steps are done."""
    done = observer.value("SELECT count(*) FROM ledger")
    async with asyncio.timeout(30):
        while observer.value("SELECT count(*) FROM ledger") < done + 20:  # noqa: ASYNC110  # another process writes
            await asyncio.sleep(0.02)


@pytest.mark.timeout(60)
async def test_a_long_attempt_lives_through_a_short_restart(server: PostgresServer, tmp_path: Path) -> None:
    url = server.create_database()
    observer = Observer(url)
    with Fleet(url, tmp_path, serve="walks") as fleet:
        async with otelq.connect(url) as client:
            fleet.start()
            chain = await client.start(handlers.long_step, 3 * handlers.LEASE)
            wait_for(lambda: fleet.noted("began"), "the attempt has begun")
            # Claims do not wait for the disk, and a crash may forget one; what commits after it takes it along.
            observer.execute("CREATE TABLE flushed ()")
            server.restart("immediate")
            assert await client.result(chain, timeout=30) == 1, "the first attempt came to its end"
        fleet.end()
    assert fleet.noted("began") == ["1"]


@pytest.mark.timeout(60)
async def test_a_client_that_is_idle_during_a_restart_works_afterwards(server: PostgresServer) -> None:
    waits = otelq.JobType("waits", input=int, output=int)
    async with otelq.connect(server.create_database()) as client:
        before = await client.start(waits, 1)
        server.restart("immediate")
        after = await client.start(waits, 2)
        assert {chain.chain_id for chain in (await client.chains()).items} == {before.id, after.id}


SECRET = "correct-horse"
TIMEOUT = 0.5


async def test_a_server_that_does_not_listen_is_unavailable(unused_tcp_port: int) -> None:
    await assert_unavailable(unused_tcp_port)


async def test_a_server_that_does_not_answer_is_unavailable_within_the_connect_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel accepts, and nobody ever reads
        await assert_unavailable(silent.getsockname()[1])


async def assert_unavailable(port: int) -> None:
    url = f"postgresql://me:{SECRET}@127.0.0.1:{port}/orders"
    begun = time.monotonic()
    with pytest.raises(otelq.Unavailable) as caught:
        await otelq.connect(url, connect_timeout=TIMEOUT).open()
    assert time.monotonic() - begun < TIMEOUT + 1
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert "orders" in str(caught.value)
    told = f"{caught.value} {caught.value!r} {caught.value.__cause__} {caught.value.__context__!r}"
    assert SECRET not in told
