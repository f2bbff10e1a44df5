"""Hints by LISTEN and NOTIFY: other processes hear of work at once, and nothing depends on it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest

import otelq
from otelq.hints import listener
from otelq.ports.notify import Hint, HintKind
from otelq.postgres import adapter, notifier
from otelq_verify.conformance.notify_cases import NOTIFY_CASES
from otelq_verify.conformance.notify_kit import NotifyCase, run_notify_case
from otelq_verify.drivers import POSTGRES, application
from otelq_verify.wire import NOTIFICATION, LossyProxy

jobs = otelq.Jobs()


@jobs.job("notify.work")
async def work(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


@jobs.job("notify.waits")
async def waits(attempt: otelq.Attempt[None]) -> None:
    await attempt.stopping.wait()


NEVER = 3600.0
"""Seconds between two polls that no test waits for."""


@pytest.mark.parametrize("case", NOTIFY_CASES, ids=[case.name for case in NOTIFY_CASES])
async def test_it_keeps_the_promises_of_a_notifier(case: NotifyCase, postgres_url: str) -> None:
    result = await run_notify_case(lambda: notifier(postgres_url), case)

    assert result.passed, result.message


async def until(is_so: Callable[[], object]) -> None:
    """Wait until something is so, for which there is no event."""
    while not is_so():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def is_hearing(client: otelq.Client) -> None:
    """Wait until the client hears what others send."""
    await until(lambda: client.engine.notify.is_hearing)


async def has_status(client: otelq.Client, chain: otelq.Chain[Any], status: str) -> None:
    """Wait until the last job of a chain has this status."""
    while (await client.chain(chain)).tail.status != status:  # noqa: ASYNC110
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("driver", POSTGRES)
async def test_a_worker_elsewhere_begins_without_a_poll_and_its_result_arrives(driver: str, postgres_url: str) -> None:
    async with (
        application(postgres_url, driver, size=4) as app,
        otelq.connect(app.target) as near,
        otelq.connect(postgres_url) as far,
        otelq.Worker(far, jobs, poll_interval=NEVER),
    ):
        await is_hearing(far)

        chain = await near.start(work, 7)

        assert await near.result(chain) == 7


@pytest.mark.parametrize("driver", POSTGRES)
async def test_it_listens_as_the_driver_does(driver: str, postgres_url: str) -> None:
    async with (
        otelq.connect(postgres_url) as near,
        application(postgres_url, driver, size=4) as app,
        otelq.connect(app.target) as far,
        otelq.Worker(far, jobs, poll_interval=NEVER),
    ):
        await is_hearing(far)

        chain = await near.start(work, 7, delay=0.2)  # the hint says when it is due

        assert await near.result(chain) == 7


async def test_a_cancel_reaches_a_handler_in_another_process(postgres_url: str) -> None:
    async with (
        otelq.connect(postgres_url) as near,
        otelq.connect(postgres_url) as far,
        otelq.Worker(far, jobs, poll_interval=NEVER) as worker,
    ):
        await is_hearing(far)
        chain = await near.start(waits, None)
        await has_status(near, chain, "running")

        await near.cancel(chain)

        # Without a hint the lease would last for 30 seconds.
        await until(lambda: worker._current is not None and not worker._current.slots.active_jobs())


@pytest.fixture
async def messages(postgres_url: str) -> AsyncIterator[list[str]]:
    """Everything that is sent on the channel."""
    connection = await asyncpg.connect(postgres_url)
    heard: list[str] = []

    def hear(_connection: object, _pid: int, _channel: str, payload: object) -> None:
        heard.append(str(payload))

    await connection.add_listener("otelq_hints_otelq", hear)
    yield heard
    await connection.close()


async def test_the_end_of_a_chain_is_sent_only_if_somebody_waits_for_it(postgres_url: str, messages: list[str]) -> None:
    async with (
        otelq.connect(postgres_url) as near,
        otelq.connect(postgres_url) as far,
        otelq.Worker(far, jobs),
    ):
        await is_hearing(far)
        for chain in [await near.start(work, n) for n in range(10)]:
            await has_status(near, chain, "completed")
        awaited = await near.start(work, 7, delay=0.2)
        await near.result(awaited)

    closed = [text for text in messages if '"closed"' in text]
    assert len(closed) <= 1
    assert all(awaited.id in text for text in closed)


async def test_a_client_that_only_starts_jobs_holds_no_connection_that_listens(
    postgres_url: str,
) -> None:
    async with otelq.connect(postgres_url) as client:
        await client.start(work, 1)
        connection = await asyncpg.connect(postgres_url)
        listening = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
        await connection.close()

    assert listening == 0


async def test_it_listens_again_when_its_connection_is_ended(postgres_url: str) -> None:
    async with (
        otelq.connect(postgres_url) as near,
        otelq.connect(postgres_url) as far,
        otelq.Worker(far, jobs, poll_interval=NEVER),
    ):
        changes: list[bool] = []
        far.engine.notify.subscribe(
            lambda hint: changes.append(far.engine.notify.is_hearing) if hint.kind is HintKind.CHANGED else None
        )
        await is_hearing(far)
        connection = await asyncpg.connect(postgres_url)
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
        await connection.close()
        await until(lambda: changes[-2:] == [False, True])

        assert await near.result(await near.start(work, 7)) == 7


async def test_behind_a_pooler_it_polls_and_says_once_why(postgres_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="otelq.notify")
    async with (
        LossyProxy(postgres_url, drops={NOTIFICATION}) as proxy,
        otelq.connect(proxy.url) as client,
        otelq.Worker(client, jobs) as worker,
    ):
        await until(lambda: caplog.records)

        assert "transaction pooler" in caplog.text
        assert "notify='postgresql://" in caplog.text
        assert not client.engine.notify.is_hearing
        assert worker._current is not None
        assert worker._current.context.longest_sleep == 2.0


async def test_a_connection_that_falls_silent_is_noticed(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "QUIET", 0.05)
    monkeypatch.setattr(listener, "ECHO", 0.2)
    async with (
        LossyProxy(postgres_url) as proxy,
        otelq.connect(postgres_url, notify=notifier(proxy.url)) as client,
        otelq.Worker(client, jobs),
    ):
        await is_hearing(client)

        proxy.drops = {NOTIFICATION}
        await proxy.dropped.wait()

        await until(lambda: not client.engine.notify.is_hearing)


async def test_a_role_that_may_not_notify_starts_jobs_all_the_same(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="otelq.hints")
    async with otelq.connect(postgres_url):
        pass  # which makes the tables
    connection = await asyncpg.connect(postgres_url)
    role = "otelq_mute"
    await connection.execute(
        f"DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA otelq TO {role};"
        f"GRANT ALL ON ALL TABLES IN SCHEMA otelq TO {role}; REVOKE EXECUTE ON FUNCTION pg_notify FROM public"
    )
    try:
        async with otelq.connect(postgres_url.replace("postgres@", f"{role}@"), migrate=False) as client:
            chains = [await client.start(work, n) for n in range(3)]
            await until(lambda: caplog.records)

        assert len({chain.id for chain in chains}) == 3
        assert "hints cannot be sent" in caplog.records[0].getMessage()
    finally:
        await connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
        await connection.close()


async def test_two_schemas_of_one_database_hear_nothing_of_each_other(postgres_url: str) -> None:
    hint, heard = Hint(HintKind.DUE, "a"), {"one": list[Hint](), "other": list[Hint]()}
    async with AsyncExitStack() as stack:
        made = {schema: notifier(postgres_url, schema=schema) for schema in heard}
        for schema, each in made.items():
            await each.open()
            stack.push_async_callback(each.close)
            each.subscribe(lambda hint, heard=heard[schema]: heard.append(Hint(hint.kind, hint.subject)))  # type: ignore[misc]  # mypy infers no default
        await until(lambda: all(each.is_hearing for each in made.values()))
        sender = notifier(postgres_url, schema="one")
        await sender.open()
        stack.push_async_callback(sender.close)

        sender.publish([hint])

        await until(lambda: hint in heard["one"])
        assert hint not in heard["other"]


def test_a_store_that_cannot_be_opened_twice_offers_no_notifier() -> None:
    class Own:
        is_open = False

        async def execute(self, sql: str, params: object, /) -> list[dict[str, object]]:
            raise NotImplementedError

        def transaction(self) -> object:
            raise NotImplementedError

    assert adapter(Own()).notifier() is None
