"""Processes that wake each other by Redis or NATS, and what happens when that is away."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable
from functools import partial

import pytest

import otelq
import otelq_nats
import otelq_redis
from otelq.hints import listener
from otelq.ports.notify import Hint, HintKind

from ..brokers import Broker
from .conftest import Pair

NEVER = 3600.0
"""Seconds between two polls that no test waits for."""
jobs = otelq.Jobs()


@jobs.job("notifiers.work")
async def work(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


@jobs.job("notifiers.waits")
async def waits(attempt: otelq.Attempt[None]) -> None:
    await attempt.stopping.wait()


async def until(is_so: Callable[[], object]) -> None:
    """Wait until something is so, for which there is no event."""
    while not is_so():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def hears(client: otelq.Client) -> None:
    """Wait until the client hears what others send."""
    await until(lambda: client.engine.notify.is_hearing)


def set_on_change(looked: asyncio.Event, hint: Hint) -> None:
    """Set the event at a hint to look."""
    if hint.kind is HintKind.CHANGED:
        looked.set()


def keep_due(heard: list[str], hint: Hint) -> None:
    """Keep the type of a job that is due."""
    if hint.kind is HintKind.DUE:
        heard.append(hint.subject)


async def test_a_worker_elsewhere_begins_without_a_poll_and_its_result_arrives(pair: Pair) -> None:
    async with otelq.Worker(pair.far, jobs, poll_interval=NEVER):
        await hears(pair.far)

        chain = await pair.near.start(work, 7, delay=0.05)

        assert await pair.near.result(chain) == 7


async def test_a_cancel_reaches_a_handler_in_another_process(pair: Pair) -> None:
    async with otelq.Worker(pair.far, jobs, poll_interval=NEVER) as worker:
        await hears(pair.far)
        chain = await pair.near.start(waits, None)
        while (await pair.near.chain(chain)).tail.status != "running":  # noqa: ASYNC110
            await asyncio.sleep(0.005)

        await pair.near.cancel(chain)

        # Without a hint the lease would last for 30 seconds.
        await until(lambda: worker._current is not None and not worker._current.slots.active_jobs())


async def test_a_client_opens_and_starts_jobs_while_the_server_is_away(
    own_broker: Broker, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    own_broker.kill()
    async with (
        otelq.connect(database, notify=own_broker.url) as client,
        otelq.Worker(client, jobs),
    ):
        assert await client.result(await client.start(work, 7)) == 7
        assert not client.engine.notify.is_hearing

        own_broker.start()

        await hears(client)
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) <= 3, [record.getMessage() for record in warnings]


async def test_hints_come_back_after_the_server_was_killed(own_broker: Broker, database: str) -> None:
    async with (
        otelq.connect(database, notify=own_broker.url) as near,
        otelq.connect(database, notify=own_broker.url) as far,
        otelq.Worker(far, jobs, poll_interval=NEVER),
    ):
        for _ in range(3):
            await hears(far)
            looked = asyncio.Event()
            unsubscribe = far.engine.notify.subscribe(partial(set_on_change, looked))

            own_broker.kill()
            await until(lambda: not far.engine.notify.is_hearing)
            lost = await near.start(work, 1)  # nobody hears of it
            looked.clear()
            own_broker.start()

            await looked.wait()  # the worker looks once when it hears again, so that it misses nothing
            unsubscribe()
            assert await near.result(lost) == 1
            await hears(near)
            assert await near.result(await near.start(work, 2)) == 2


async def test_a_server_that_freezes_is_noticed(
    own_broker: Broker, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "QUIET", 0.05)
    monkeypatch.setattr(listener, "ECHO", 0.2)
    async with otelq.connect(database, notify=own_broker.url) as client, otelq.Worker(client, jobs):
        await hears(client)

        own_broker.pause()
        try:
            await until(lambda: not client.engine.notify.is_hearing)
            assert await client.result(await client.start(work, 7)) == 7
        finally:
            own_broker.resume()

        await hears(client)


async def test_two_schemas_of_one_server_hear_nothing_of_each_other(broker: Broker, database: str) -> None:
    heard: dict[str, list[str]] = {"one": [], "other": []}
    async with (
        otelq.connect(database, notify=broker.url, schema="one") as one,
        otelq.connect(database, notify=broker.url, schema="other") as other,
        otelq.connect(database, notify=broker.url, schema="one") as sender,
    ):
        for name, client in (("one", one), ("other", other)):
            client.engine.notify.subscribe(partial(keep_due, heard[name]))
            await hears(client)

        await sender.start(work, 7)

        await until(lambda: heard["one"])
        assert heard["other"] == []


async def test_a_close_while_it_connects_in_vain_leaves_no_error_behind(
    own_broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    own_broker.pause()
    package = otelq_nats if own_broker.url.startswith("nats") else otelq_redis
    notifier = package.notifier(own_broker.url, timeout=0.2)
    notifier.subscribe(lambda hint: None)
    await notifier.open()
    await until(lambda: "cannot listen" in caplog.text)
    reasons = [record.getMessage() for record in caplog.records]

    await notifier.close()
    own_broker.resume()
    gc.collect()

    assert not [reason for reason in reasons if ": ;" in reason]
    assert "never retrieved" not in caplog.text
