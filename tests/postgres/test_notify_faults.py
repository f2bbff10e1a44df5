"""Faults below LISTEN and NOTIFY: no job is lost or late by more than a safety poll, and hints are heard again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import asyncpg
import pytest

import otelq
from otelq.hints import listener
from otelq.ports.notify import HintKind
from otelq.postgres import notifier
from otelq.worker.context import POLL, SAFETY_POLL
from otelq_verify.drivers import POSTGRES, application
from otelq_verify.wire import LossyProxy, SentStatements

from .. import servers
from ..servers import PostgresServer
from ..telemetry.sdk import Sdk

jobs = otelq.Jobs()


def listens(sent: SentStatements) -> bool:
    return sent[-1].startswith("LISTEN")


NEVER = 3600.0
"""Seconds between two polls that no test waits for."""


@jobs.job("faults.work")
async def work(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


async def until(is_so: Callable[[], object]) -> None:
    """Wait until something is so, for which there is no event."""
    while not is_so():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def changes_to(client: otelq.Client, *, is_hearing: bool) -> None:
    await until(lambda: client.engine.notify.is_hearing is is_hearing)


def longest_sleep(worker: otelq.Worker) -> float:
    assert worker._current is not None
    return worker._current.context.longest_sleep


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Listeners that ping soon."""
    monkeypatch.setattr(listener, "QUIET", 0.05)
    monkeypatch.setattr(listener, "ECHO", 0.2)
    monkeypatch.setattr("otelq.loop.LONGEST_BACK_OFF", 0.1)


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server of this test, with a NOTIFY queue as small as it can be."""
    with pytest.MonkeyPatch.context() as own:
        own.delenv("OTELQ_TEST_POSTGRES_18", raising=False)
        with servers.postgres(18, settings={"max_notify_queue_pages": "64"}) as server:
            yield server


@asynccontextmanager
async def pair(url: str) -> AsyncGenerator[tuple[otelq.Client, otelq.Client, otelq.Worker]]:
    """A client that starts jobs, and one with a worker that polls by default."""
    async with (
        otelq.connect(url) as near,
        otelq.connect(url) as far,
        otelq.Worker(far, jobs) as worker,
    ):
        await changes_to(far, is_hearing=True)
        yield near, far, worker


@pytest.mark.parametrize("driver", POSTGRES)
async def test_a_listener_whose_backend_is_ended_listens_again_by_every_driver(driver: str, postgres_url: str) -> None:
    async with (
        otelq.connect(postgres_url) as near,
        application(postgres_url, driver, size=4) as app,
        otelq.connect(app.target) as far,
        otelq.Worker(far, jobs, poll_interval=NEVER),
    ):
        heard: list[bool] = []
        far.engine.notify.subscribe(
            lambda hint: heard.append(far.engine.notify.is_hearing) if hint.kind is HintKind.CHANGED else None
        )
        await changes_to(far, is_hearing=True)
        await end_listeners(postgres_url)
        await until(lambda: heard[-2:] == [False, True])

        assert await near.result(await near.start(work, 7)) == 7


async def end_listeners(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        """ WHERE datname = current_database() AND query ILIKE 'LISTEN %'"""
    )
    await connection.close()


@pytest.mark.usefixtures("impatient")
async def test_a_half_open_listener_is_noticed_at_once_and_replaced(postgres_url: str) -> None:
    async with (
        LossyProxy(postgres_url) as proxy,
        otelq.connect(postgres_url) as near,
        otelq.connect(postgres_url, notify=notifier(proxy.url)) as far,
        otelq.Worker(far, jobs) as worker,
    ):
        await changes_to(far, is_hearing=True)
        assert longest_sleep(worker) == SAFETY_POLL
        proxy.freeze(listens)
        await changes_to(far, is_hearing=False)
        assert longest_sleep(worker) == POLL
        meanwhile = await near.start(work, 1)
        await changes_to(far, is_hearing=True)

        assert await near.result(meanwhile) == 1
        assert await near.result(await near.start(work, 2)) == 2


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("driver", POSTGRES)
async def test_hints_are_heard_again_after_every_connection_was_half_open(driver: str, postgres_url: str) -> None:
    async with (
        AsyncExitStack() as network,
        otelq.connect(postgres_url) as near,
        application((proxy := await network.enter_async_context(LossyProxy(postgres_url))).url, driver, size=4) as app,
        otelq.connect(app.target, command_timeout=0.5) as far,
        otelq.Worker(far, jobs, poll_interval=NEVER),
    ):
        await changes_to(far, is_hearing=True)
        proxy.freeze()
        chain = await near.start(work, 7)
        await changes_to(far, is_hearing=False)

        assert await near.result(chain) == 7
        await changes_to(far, is_hearing=True)
        assert await near.result(await near.start(work, 8)) == 8
        await network.aclose()  # ends the connections that nobody could close in order


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_hints_are_heard_again_after_a_restart(mode: servers.StopMode, own_server: PostgresServer) -> None:
    async with pair(own_server.create_database()) as (near, far, _):
        before = await near.start(work, 1, delay=0.5)
        await asyncio.to_thread(own_server.restart, mode)
        await changes_to(far, is_hearing=True)

        assert await near.result(before) == 1
        assert await near.result(await near.start(work, 2)) == 2


@pytest.mark.usefixtures("impatient")
async def test_a_full_queue_of_notifications_fails_no_start_and_hints_are_heard_again(
    own_server: PostgresServer,
) -> None:
    url = own_server.create_database()
    async with pair(url) as (near, far, worker), blocked_listener(url) as fill:
        await fill()
        meanwhile = await near.start(work, 1)
        await changes_to(far, is_hearing=False)
        assert longest_sleep(worker) == POLL
        assert await near.result(meanwhile) == 1
    async with pair(url) as (near, _, _):
        assert await near.result(await near.start(work, 2)) == 2


async def for_ever(work: Callable[[], Awaitable[object]]) -> NoReturn:
    while True:
        await work()


@asynccontextmanager
async def blocked_listener(url: str) -> AsyncGenerator[Callable[[], Awaitable[None]]]:
    """A session that listens in an open transaction, so that the server stores what is sent until it is full."""
    listening, sending = await asyncpg.connect(url), await asyncpg.connect(url)

    async def fill() -> None:
        with pytest.raises(asyncpg.PostgresError, match="too many notifications"):
            await for_ever(lambda: sending.execute("SELECT pg_notify('filler', repeat('x', 7900))"))

    await listening.execute("LISTEN filler")
    await listening.execute("BEGIN; SELECT 1")
    yield fill
    await listening.execute("ROLLBACK")
    await sending.execute("LISTEN filler")  # the server cuts its queue when the session that filled it does this
    await listening.close()
    await sending.close()


@pytest.mark.usefixtures("impatient")
async def test_a_standby_that_can_neither_listen_nor_notify_fails_no_verb(own_server: PostgresServer) -> None:
    url = own_server.create_database()
    async with standby_of(own_server, url) as standby_url:
        hints = notifier(standby_url)
        async with otelq.connect(url, notify=hints) as client, otelq.Worker(client, jobs) as worker:
            assert await client.result(await client.start(work, 7)) == 7
            assert longest_sleep(worker) == POLL


@asynccontextmanager
async def standby_of(server: PostgresServer, url: str) -> AsyncGenerator[str]:
    assert server.cluster is not None
    with TemporaryDirectory() as folder:
        standby = server.cluster.beside(Path(folder))
        await asyncio.to_thread(standby.copy, server.cluster)
        await asyncio.to_thread(standby.start)
        try:
            yield url.replace(server.address, standby.address)
        finally:
            await asyncio.to_thread(standby.stop, "immediate")


@pytest.mark.usefixtures("impatient")
async def test_a_metric_shows_a_listener_that_is_silent_and_one_that_hears_again(postgres_url: str, sdk: Sdk) -> None:
    async with (
        LossyProxy(postgres_url) as proxy,
        otelq.connect(postgres_url, notify=notifier(proxy.url), meter_provider=sdk.meters) as client,
        otelq.Worker(client, jobs),
    ):
        await changes_to(client, is_hearing=True)
        assert listeners(sdk) == {"hearing": 1, "silent": 0}
        proxy.freeze(listens)
        await changes_to(client, is_hearing=False)
        assert listeners(sdk) == {"hearing": 0, "silent": 1}
        await changes_to(client, is_hearing=True)
        assert listeners(sdk) == {"hearing": 1, "silent": 0}


def listeners(sdk: Sdk) -> dict[str, int]:
    return {state: sdk.total("otelq.notify.listeners", state=state) for state in ("hearing", "silent")}
