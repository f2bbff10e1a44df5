"""What a server does for a while passes: no worker gives up, and nothing is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from urllib.parse import urlsplit

import asyncpg
import pytest

import otelq
from otelq.errors import OtelqError, Unavailable

from .. import servers
from ..behaviour.support import until
from ..servers import PostgresServer
from .drivers import WAYS, target
from .test_connections import SECRET

Admin = Callable[..., Awaitable[None]]
LOOPS = {"fetcher", "completer", "reaper", "keeper"}
FEW = 3
OPENING = 20
"""Hundredths of a second in which a session that is being opened shows up."""
RULES = """\
host all app 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
"""

jobs = otelq.Jobs()
gates: dict[str, asyncio.Event] = {}
running: dict[str, asyncio.Event] = {}


@jobs.job("wait", lease=1)
async def wait(attempt: otelq.Attempt[str]) -> str:
    running[attempt.input].set()
    await gates[attempt.input].wait()
    return attempt.input


@jobs.job("greet")
async def greet(attempt: otelq.Attempt[str]) -> str:
    return attempt.input.upper()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops that would give up soon, if they gave up."""
    monkeypatch.setattr("otelq.loop.MOST_ERRORS", FEW)
    monkeypatch.setattr("otelq.loop.LONGEST_BACK_OFF", 0.05)


@pytest.fixture(scope="module")
def guarded() -> Iterator[PostgresServer]:
    """A server of our own, which asks the role ``app`` for its password."""
    with pytest.MonkeyPatch.context() as own:
        own.delenv("OTELQ_TEST_POSTGRES_18", raising=False)
        with servers.postgres(18) as server:
            assert server.cluster is not None
            (server.cluster.data / "pg_hba.conf").write_text(RULES)
            server.execute("SELECT pg_reload_conf()")
            server.execute("CREATE ROLE app LOGIN SUPERUSER PASSWORD 's3cr3t'")
            yield server


@pytest.fixture
def url(postgres18: PostgresServer) -> Iterator[str]:
    """A fresh database."""
    made = postgres18.create_migrated_database()
    yield made
    postgres18.drop_database(made)


@pytest.fixture
async def admin(url: str) -> AsyncIterator[Admin]:
    """Changes the database and then ends all its other sessions, so that the change is met."""
    connection = await asyncpg.connect(urlsplit(url)._replace(path="/postgres").geturl())
    name = urlsplit(url).path.strip("/")

    async def change(statement: str) -> None:
        await connection.execute(statement.format(name))
        await end_sessions(connection, "datname", name)

    yield change
    await connection.close()


async def end_sessions(connection: asyncpg.Connection[asyncpg.Record], column: str, value: str) -> None:
    """End the sessions from before a change, those included that were just being opened, and show up a moment later."""
    changed_at = await connection.fetchval("SELECT clock_timestamp()")
    statement = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {column} = $1 AND backend_start <= $2"
    for _ in range(OPENING):
        await connection.execute(statement, value, changed_at)
        await asyncio.sleep(0.01)


async def all_fail(caplog: pytest.LogCaptureFixture, loops: set[str] = LOOPS) -> None:
    """Wait until each loop has met more errors than make it give up."""
    caplog.clear()
    caplog.set_level(logging.DEBUG, logger="otelq.loop")
    while True:
        met = [record.__dict__["otelq.loop"] for record in caplog.records if record.name == "otelq.loop"]
        if all(met.count(loop) > FEW for loop in loops):
            return
        await asyncio.sleep(0.005)


async def live_through(
    client: otelq.Client,
    begin: Callable[[], Awaitable[None]],
    end: Callable[[], Awaitable[None]],
    caplog: pytest.LogCaptureFixture,
) -> Exception:
    """Run a worker, a job that ends during an outage, and one after it; how a start during it fails."""
    name = f"job {id(client)}"
    gates[name], running[name] = asyncio.Event(), asyncio.Event()
    async with otelq.Worker(client, jobs, poll_interval=0.02, reap_interval=0.02):
        chain = await client.start(wait, name)
        await running[name].wait()
        await begin()
        gates[name].set()
        await all_fail(caplog)
        with pytest.raises(OtelqError) as raised:
            await client.start(greet, "meanwhile")
        await end()
        assert await client.result(chain) == name
        assert await client.result(await client.start(greet, "after")) == "AFTER"
    assert [attempt.verb for attempt in await client.attempts(f"{chain.id}.0")] == ["complete"]
    return raised.value


@pytest.mark.parametrize("way", WAYS)
async def test_a_worker_lives_through_a_server_that_is_read_only(
    way: str, url: str, admin: Admin, caplog: pytest.LogCaptureFixture
) -> None:
    async with target(way, url) as place, otelq.connect(place, command_timeout=5) as client:
        error = await live_through(
            client,
            lambda: admin("ALTER DATABASE {} SET default_transaction_read_only = on"),
            lambda: admin("ALTER DATABASE {} SET default_transaction_read_only = off"),
            caplog,
        )

    assert isinstance(error, Unavailable)
    assert "read-only transaction (SQLSTATE 25006)" in str(error)


async def test_an_outage_is_one_line_of_the_log_and_its_end_another(
    guarded: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="otelq.loop")
    async with (
        otelq.connect(guarded.create_database(), notify=None) as client,
        otelq.Worker(client, jobs, poll_interval=0.02, reap_interval=0.02),
    ):
        await asyncio.to_thread(guarded.stop)
        await until(lambda: {"fetcher", "reaper"} <= {record.__dict__["otelq.loop"] for record in caplog.records})
        await asyncio.to_thread(guarded.start)
        await until(lambda: caplog.text.endswith("works again\n"))

    said = [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG]
    assert [line.rpartition(": ")[2].rpartition("; ")[2] for line in said] == ["trying again", "works again"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_worker_lives_through_the_rotation_of_a_password(
    way: str, guarded: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    url = guarded.create_database()
    admin = await asyncpg.connect(url)

    async def rotate(password: str) -> None:
        await admin.execute(f"ALTER ROLE app PASSWORD '{password}'")
        await end_sessions(admin, "usename", "app")

    app = url.replace("postgres@", f"app:{SECRET}@")
    async with target(way, app) as place, otelq.connect(place, command_timeout=0.3) as client:
        error = await live_through(client, lambda: rotate("another"), lambda: rotate(SECRET), caplog)

    assert isinstance(error, Unavailable)
    assert SECRET not in str(error)
    await admin.close()
