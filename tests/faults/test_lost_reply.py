"""The database did what it was asked, and its reply is lost: nothing is done twice, and nothing is counted twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

import otelq
from otelq.postgres.statements import read
from otelq_verify.invariants import violations
from otelq_verify.wire import LossyProxy, SentStatements

from .observer import Observer

PRESENT = read("sql/were_committed.sql").partition("\n")[0]
"""How the statement begins that looks up what was committed."""


def inserts_into(table: str) -> Callable[[SentStatements], bool]:
    """A statement of otelq's own that writes into one of its tables."""
    return lambda said: "INSERT INTO" in said[-1] and f'"otelq".{table}' in said[-1]


def commits_after(words: str) -> Callable[[SentStatements], bool]:
    """The COMMIT of a transaction in which something was said."""
    return lambda said: said[-1].startswith("COMMIT") and any(words in text for text in said)


@dataclass
class Scene:
    """A client whose connections go through a lossy proxy, and what is counted meanwhile."""

    client: otelq.Client
    proxy: LossyProxy
    observer: Observer
    metrics: InMemoryMetricReader

    def transitions(self) -> Counter[str]:
        """How many transitions of each verb were counted."""
        data = self.metrics.get_metrics_data()
        assert data is not None
        counted: Counter[str] = Counter()
        for metric in data.resource_metrics[0].scope_metrics[0].metrics:
            if metric.name == "otelq.job.transitions":
                for point in metric.data.data_points:
                    assert isinstance(point, NumberDataPoint)
                    assert point.attributes is not None
                    counted[str(point.attributes["otelq.job.transition"])] += int(point.value)
        return counted


@pytest.fixture
async def scene(postgres_url: str) -> AsyncIterator[Scene]:
    metrics = InMemoryMetricReader()
    async with LossyProxy(postgres_url) as proxy:
        provider = MeterProvider([metrics])
        async with otelq.connect(proxy.url, meter_provider=provider) as client:
            observer = Observer(postgres_url)
            observer.make_ledger()
            yield Scene(client, proxy, observer, metrics)
            assert await violations(postgres_url) == []
        provider.shutdown()


def writing_job(calls: list[int], *, fault: Callable[[], None]) -> tuple[otelq.Jobs, otelq.JobType[None, int]]:
    """A job that writes in its completion, and whose first attempt asks for a fault before it returns."""
    jobs = otelq.Jobs()

    @jobs.job("writes", retry=otelq.RetryPolicy(initial=0))
    async def writes(attempt: otelq.Attempt[None]) -> int:
        calls.append(attempt.number)
        tx: Any = await attempt.completion()
        await tx.execute("INSERT INTO ledger (chain_id, token) VALUES ($1, $2)", attempt.chain_id, attempt.token)
        if attempt.number == 1:
            fault()
        return attempt.number

    return jobs, writes


async def test_a_completion_with_writes_whose_commit_was_not_confirmed_stands_once(scene: Scene) -> None:
    calls: list[int] = []
    jobs, writes = writing_job(calls, fault=lambda: scene.proxy.lose(commits_after("INSERT INTO ledger")))
    async with otelq.Worker(scene.client, jobs):
        chain = await scene.client.start(writes, None)
        assert await scene.client.result(chain, timeout=20) == 1
    assert len(scene.proxy.lost) == 1
    assert calls == [1]
    assert scene.observer.value("SELECT count(*) FROM ledger") == 1
    assert scene.observer.value("SELECT count(*) FROM {outcome}") == 1
    assert scene.transitions() == {"create": 1, "claim": 1, "complete": 1}


async def test_a_connection_that_dies_after_its_commit_was_confirmed_changes_nothing(scene: Scene) -> None:
    calls: list[int] = []
    jobs, writes = writing_job(calls, fault=lambda: scene.proxy.cut_before(lambda said: "UNLISTEN" in said[-1]))
    async with otelq.Worker(scene.client, jobs):
        chain = await scene.client.start(writes, None)
        assert await scene.client.result(chain, timeout=20) == 1
    assert len(scene.proxy.lost) == 1
    assert calls == [1]
    assert scene.transitions() == {"create": 1, "claim": 1, "complete": 1}


async def test_a_completion_whose_commit_never_arrived_is_undone_and_runs_again(scene: Scene) -> None:
    calls: list[int] = []
    jobs, writes = writing_job(calls, fault=lambda: scene.proxy.cut_before(commits_after("INSERT INTO ledger")))
    async with otelq.Worker(scene.client, jobs):
        chain = await scene.client.start(writes, None)
        assert await scene.client.result(chain, timeout=20) == 2
    assert len(scene.proxy.lost) == 1
    assert calls == [1, 2]
    assert scene.observer.value("SELECT count(*) FROM ledger") == 1
    assert scene.transitions() == {"create": 1, "claim": 2, "retry": 1, "complete": 1}


@pytest.mark.parametrize("word", ["BEGIN", "COMMIT", "ROLLBACK"])
async def test_a_completion_whose_connection_falls_silent_is_given_up_and_runs_again(
    postgres_url: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with LossyProxy(postgres_url) as proxy, otelq.connect(proxy.url, command_timeout=0.5) as client:
        jobs, calls = otelq.Jobs(), list[int]()
        unblock_pending, mopped = client.engine.state.unblock_pending, asyncio.Event()

        async def mop_up_and_tell() -> object:
            made = await unblock_pending()
            mopped.set()
            return made

        monkeypatch.setattr(client.engine.state, "unblock_pending", mop_up_and_tell)

        @jobs.job("completes", retry=otelq.RetryPolicy(initial=0))
        async def completes(attempt: otelq.Attempt[None]) -> int:
            calls.append(attempt.number)
            if attempt.number == 1:
                proxy.stall_at(lambda said: said[-1].startswith(word))
            await attempt.completion()
            if attempt.number == 1 and word == "ROLLBACK":
                raise OSError
            return attempt.number

        async with otelq.Worker(client, jobs, grace=1, reap_interval=3600):
            await mopped.wait()  # from here on nobody but the attempt begins or commits
            chain = await client.start(completes, None)
            last = await client.result(chain, timeout=20)
    assert last > 1, "the first attempt closed nothing"
    assert calls == [*range(1, last + 1)]  # a slow machine may be too slow for the deadline once more


@pytest.mark.parametrize("word", ["BEGIN", "COMMIT"])
async def test_a_verb_whose_connection_falls_silent_raises_within_the_command_timeout(
    postgres_url: str, word: str
) -> None:
    async with LossyProxy(postgres_url) as proxy, otelq.connect(proxy.url, command_timeout=0.5) as client:
        chain = await client.start(otelq.JobType("never", input=int, output=int), 1)
        proxy.stall_at(lambda said: said[-1].startswith(word))
        with pytest.raises(otelq.Unavailable):
            await client.cancel(chain)
        await client.cancel(chain)
        assert (await client.chain(chain)).tail.status == "cancelled"


async def test_a_plain_completion_whose_reply_is_lost_stands_once(scene: Scene) -> None:
    jobs = otelq.Jobs()

    @jobs.job("plain", retry=otelq.RetryPolicy(initial=0))
    async def plain(attempt: otelq.Attempt[None]) -> int:
        scene.proxy.lose(inserts_into("outcome"))
        return attempt.number

    async with otelq.Worker(scene.client, jobs):
        chain = await scene.client.start(plain, None)
        assert await scene.client.result(chain, timeout=20) == 1
        await until(lambda: scene.transitions()["complete"] > 0)
    assert len(scene.proxy.lost) == 1
    assert scene.observer.value("SELECT count(*) FROM {outcome}") == 1
    assert scene.transitions() == {"create": 1, "claim": 1, "complete": 1}


async def test_a_continuation_whose_reply_is_lost_stands_once(scene: Scene) -> None:
    jobs = otelq.Jobs()

    @jobs.job("second", retry=otelq.RetryPolicy(initial=0), entry=False)
    async def second(attempt: otelq.Attempt[None]) -> int:
        return attempt.number

    @jobs.job("first", retry=otelq.RetryPolicy(initial=0))
    async def first(attempt: otelq.Attempt[None]) -> otelq.Continue[int]:
        scene.proxy.lose(inserts_into("outcome"))
        return attempt.continue_with(second, None)

    async with otelq.Worker(scene.client, jobs):
        chain = await scene.client.start(first, None)
        assert await scene.client.result(chain, timeout=20) == 1
    assert len(scene.proxy.lost) == 1
    assert scene.observer.value("SELECT count(*) FROM {job}") == 2
    assert scene.transitions() == {"create": 2, "claim": 2, "continue": 1, "complete": 1}


async def test_a_start_whose_reply_is_lost_stands_once(scene: Scene) -> None:
    waits = otelq.JobType("waits", input=int, output=int)
    scene.proxy.lose(inserts_into("job"))
    chain = await scene.client.start(waits, 1)
    assert len(scene.proxy.lost) == 1
    assert scene.observer.rows("SELECT CAST(chain_id AS text) FROM {job}") == [(chain.id,)]
    assert scene.transitions() == {"create": 1}


async def test_a_start_under_a_given_id_whose_reply_is_lost_is_not_refused_as_existing(scene: Scene) -> None:
    waits = otelq.JobType("waits", input=int, output=int)
    id = otelq.new_id()
    scene.proxy.lose(inserts_into("job"))
    assert (await scene.client.start(waits, 1, id=id)).id == id
    assert len(scene.proxy.lost) == 1
    assert scene.transitions() == {"create": 1}
    with pytest.raises(otelq.AlreadyExists):
        await scene.client.start(waits, 1, id=id)


async def test_a_start_in_a_transaction_whose_commit_was_not_confirmed_is_looked_up_and_counted(scene: Scene) -> None:
    waits = otelq.JobType("waits", input=int, output=int)
    scene.proxy.lose(commits_after("INSERT INTO"))
    with pytest.raises(otelq.Unavailable):
        async with scene.client.transaction() as tx:
            await scene.client.start(waits, 1, tx=tx)
    assert len(scene.proxy.lost) == 1
    await until(lambda: scene.transitions()["create"] > 0)
    assert scene.observer.value("SELECT count(*) FROM {job}") == 1
    assert scene.transitions() == {"create": 1}


async def test_a_commit_in_doubt_is_looked_up_until_the_database_answers(scene: Scene) -> None:
    waits = otelq.JobType("waits", input=int, output=int)
    scene.proxy.lose(commits_after("INSERT INTO"))
    for _ in range(3):
        scene.proxy.cut_before(lambda said: PRESENT in said[-1])
    with pytest.raises(otelq.Unavailable):
        async with scene.client.transaction() as tx:
            await scene.client.start(waits, 1, tx=tx)
    await until(lambda: scene.transitions()["create"] > 0)
    assert [PRESENT in said for said in scene.proxy.lost] == [False, True, True, True]
    assert scene.transitions() == {"create": 1}


async def test_a_claim_whose_reply_is_lost_is_given_back_and_runs_once(scene: Scene) -> None:
    calls: list[int] = []
    jobs = otelq.Jobs()

    @jobs.job("claimed", lease=60)
    async def claimed(attempt: otelq.Attempt[None]) -> int:
        calls.append(attempt.number)
        return attempt.number

    chain = await scene.client.start(claimed, None)
    scene.proxy.lose(lambda said: "UPDATE" in said[-1] and "leased_by" in said[-1] and "claimed_at" in said[-1])
    async with otelq.Worker(scene.client, jobs, poll_interval=0.2):
        assert await scene.client.result(chain, timeout=20) == 1
    assert len(scene.proxy.lost) == 1
    assert calls == [1]


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what is told in the background."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # the condition has no event
            await asyncio.sleep(0.01)
