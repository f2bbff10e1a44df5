"""The database commits, and its reply is lost: what it did is looked up and told, or counted as unknown."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

import otelq
from otelq.model import ClaimRequest, Verb
from otelq_verify.audit import AuditedMove, changes, install, read
from otelq_verify.audit.telemetry import difference, expected_counts, reported_counts
from otelq_verify.wire import LossyProxy, SentStatements
from tests.behaviour.support import until
from tests.servers import PostgresServer
from tests.telemetry.sdk import Sdk

from .callers import later

Deed = Callable[[otelq.Client, otelq.Chain[int]], Awaitable[Any]]


def writes(said: SentStatements) -> bool:
    """A transaction of otelq's own that wrote something."""
    return any(word in said[-1] for word in ("INSERT INTO", "UPDATE", "DELETE FROM")) and '"otelq"' in said[-1]


def commit_of_writes(said: SentStatements) -> bool:
    return said[-1].startswith("COMMIT") and any(writes([text]) for text in said)


@dataclass
class Scene:
    """A client whose replies can be lost, what it tells, and what was written."""

    client: otelq.Client
    auditor: otelq.Client
    proxy: LossyProxy
    sdk: Sdk

    async def made(self) -> list[AuditedMove]:
        return read(await changes(self.auditor)).moves

    async def agrees(self) -> None:
        """All that was written is told, or counted as unknown; once nothing is looked up any more."""
        await self.client.aclose()
        said, happened = reported_counts(self.sdk.reader.get_metrics_data()), expected_counts(await self.made())
        assert not said - happened, difference(said, happened)
        assert (happened - said).total() == self.sdk.total("otelq.report.unknown"), difference(said, happened)


@pytest.fixture
async def scene(postgres18: PostgresServer, sdk: Sdk) -> AsyncIterator[Scene]:
    url = postgres18.create_migrated_database()
    async with otelq.connect(url) as auditor:
        await install(auditor)
        async with (
            LossyProxy(url) as proxy,
            otelq.connect(proxy.url, tracer_provider=sdk.tracers, meter_provider=sdk.meters) as client,
        ):
            yield Scene(client, auditor, proxy, sdk)
    postgres18.drop_database(url)


DEEDS: dict[str, Deed] = {
    "cancel": lambda client, chain: client.cancel(chain),
    "trigger": lambda client, chain: client.trigger(chain),
    "amend": lambda client, chain: client.amend(chain, priority=4),
    "complete": lambda client, chain: client.complete(chain, 2, step=later),
    "continue": lambda client, chain: client.complete(chain, otelq.Continue(later, 2), step=later),
    "delete": lambda client, chain: client.delete(chain),
}


@pytest.mark.parametrize("name", DEEDS)
async def test_a_request_whose_commit_was_not_confirmed_is_looked_up(scene: Scene, name: str) -> None:
    chain = await scene.client.start(later, 1, delay=60)
    before = len(await scene.made())
    scene.proxy.lose(commit_of_writes)
    with pytest.raises(otelq.Unavailable):
        await DEEDS[name](scene.client, chain)
    assert len(scene.proxy.lost) == 1
    assert len(await scene.made()) > before
    await scene.agrees()


@pytest.mark.parametrize("name", DEEDS)
async def test_a_request_that_was_never_committed_is_not_told(scene: Scene, name: str) -> None:
    chain = await scene.client.start(later, 1, delay=60)
    before = len(await scene.made())
    scene.proxy.cut_before(commit_of_writes)
    with pytest.raises(otelq.Unavailable):
        await DEEDS[name](scene.client, chain)
    assert len(await scene.made()) == before
    await scene.client.aclose()
    assert reported_counts(scene.sdk.reader.get_metrics_data()) == expected_counts(await scene.made())


async def test_a_claim_whose_reply_is_lost_is_told_with_its_release(scene: Scene) -> None:
    jobs, numbers = otelq.Jobs(), list[int]()

    @jobs.job("claimed", lease=60)
    async def claimed(attempt: otelq.Attempt[None]) -> None:
        numbers.append(attempt.number)

    chain = await scene.client.start(claimed, None)
    scene.proxy.lose(lambda said: "leased_by = $7" in said[-1])
    async with otelq.Worker(scene.client, jobs, poll_interval=0.1):
        await scene.client.result(chain, timeout=20)
    assert len(scene.proxy.lost) == 1
    verbs = [str(move.verb) for move in await scene.made() if move.verb is not Verb.RENEW]
    assert verbs == ["create", "claim", "release", "claim", "complete"]
    await scene.agrees()


async def test_what_a_reaper_took_back_unheard_is_looked_up(scene: Scene) -> None:
    jobs = otelq.Jobs()

    @jobs.job("reaped", retry=otelq.RetryPolicy(initial=3600))
    async def reaped(attempt: otelq.Attempt[None]) -> None:
        pass

    await scene.client.start(reaped, None)
    wanted = [ClaimRequest(type="reaped", limit=1, lease=0.001)]
    leased: tuple[Any, Any] = await scene.client.engine.state.claim(wanted, worker="gone", token=7)
    scene.client.engine.effects.follow(leased[1])
    scene.proxy.lose(lambda said: commit_of_writes(said) and any("'reap'" in text for text in said))
    async with otelq.Worker(scene.client, jobs, reap_interval=0.1):
        await until(lambda: scene.proxy.lost)
    assert [move.verb for move in await scene.made()].count(Verb.REAP) == 1
    await scene.agrees()
