"""What the memory adapter promises beyond the port, and its way of passing hints."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import suppress
from contextvars import Context
from datetime import UTC, datetime, timedelta

import pytest

from otelq.errors import InvalidArgument, Unavailable
from otelq.memory import MemoryTransaction, adapter, notifier
from otelq.model import (
    Closure,
    Continues,
    JobQuery,
    NewJob,
    Renewal,
    Status,
    Successor,
    Verb,
    Verdict,
    Wanted,
)
from otelq.ports.notify import Hint, HintKind, NotifyAdapter
from otelq.ports.state import StateAdapter

WANTED = [Wanted(type="work", limit=10, lease=30)]


@pytest.fixture
async def store() -> AsyncGenerator[StateAdapter]:
    state = adapter("memory://")
    await state.open()
    yield state
    await state.close()


def job(number: int) -> NewJob:
    return NewJob(chain_id=f"{number:08d}", type="work", input="1")


async def test_jobs_survive_closing_and_opening(store: StateAdapter) -> None:
    await store.create([job(1)])

    await store.close()
    await store.open()

    assert [one.chain_id for one in (await store.jobs(JobQuery())).items] == ["00000001"]


async def test_two_adapters_share_nothing(store: StateAdapter) -> None:
    other = adapter("memory://")
    await other.open()
    await store.create([job(1)])

    assert (await other.jobs(JobQuery())).items == []


async def test_a_store_that_is_not_open_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="not open"):
        await adapter("memory://").create([job(1)])


async def test_the_clock_is_the_real_one(store: StateAdapter) -> None:
    before = datetime.now(UTC)
    _, (made,) = await store.create([job(1)])

    assert before <= made.at <= datetime.now(UTC)


async def test_a_verb_without_tx_inside_a_transaction_is_refused(store: StateAdapter) -> None:
    async with store.begin() as tx:
        with pytest.raises(InvalidArgument, match="tx: is missing"):
            await store.create([job(1)])
        with pytest.raises(InvalidArgument, match="tx: is missing"):
            async with store.begin():
                pass
        await store.create([job(2)], tx=tx)

    assert await store.outcomes(["00000002"])


async def test_a_task_that_outlives_its_transaction_may_write(store: StateAdapter) -> None:
    ended = asyncio.Event()

    async def later() -> None:
        await ended.wait()
        await store.create([job(1)])

    async with store.begin():
        task = asyncio.create_task(later())
    ended.set()
    await task

    assert await store.outcomes(["00000001"])


async def test_other_writers_wait_for_a_transaction_and_renewals_do_not(store: StateAdapter) -> None:
    await store.create([job(1)])
    (claimed,), _ = await store.claim(WANTED, worker="w", token=1)

    async with store.begin() as tx:
        await store.create([job(2)], tx=tx)
        claiming = asyncio.get_running_loop().create_task(_claim(store), context=Context())
        assert await store.renew([Renewal(claimed.lease, 60)]) == [Verdict.DONE]
        assert not claiming.done()

    assert await claiming == ["00000002"]


async def _claim(store: StateAdapter) -> list[str]:
    claimed, _ = await store.claim(WANTED, worker="other", token=2)
    return [one.lease.chain_id for one in claimed]


async def test_a_renewal_beside_a_transaction_survives_its_rollback(store: StateAdapter) -> None:
    await store.create([job(1)])
    (claimed,), _ = await store.claim(WANTED, worker="w", token=1)

    with suppress(ZeroDivisionError):
        async with store.begin() as tx:
            await store.create([job(2)], tx=tx)
            await store.renew([Renewal(claimed.lease, 500)])
            raise ZeroDivisionError

    (record,) = (await store.jobs(JobQuery())).items
    assert record.leased_until is not None
    assert record.leased_until > claimed.leased_until + timedelta(seconds=400)


async def test_a_job_that_a_rollback_gives_back_can_be_claimed(store: StateAdapter) -> None:
    await store.create([job(1)])

    with suppress(ZeroDivisionError):
        async with store.begin() as tx:
            await store.cancel(["00000001"], tx=tx)
            raise ZeroDivisionError

    assert await _claim(store) == ["00000001"]


async def test_a_transaction_that_has_ended_is_dead(store: StateAdapter) -> None:
    async with store.begin() as tx:
        pass

    with pytest.raises(InvalidArgument, match="has ended"):
        await store.create([job(1)], tx=tx)


async def test_a_transaction_belongs_to_its_store(store: StateAdapter) -> None:
    other = adapter("memory://")
    await other.open()

    async with other.begin(MemoryTransaction) as tx:
        with pytest.raises(InvalidArgument, match="another store"):
            await store.create([job(1)], tx=tx)
        await store.create([job(2)])

    assert await store.outcomes(["00000002"])


async def test_readers_outside_see_a_deleted_chain_until_the_commit(store: StateAdapter) -> None:
    await store.create([job(1), job(2)])

    async with store.begin() as tx:
        await store.delete(["00000001"], tx=tx)
        outside = (await store.chains(JobQuery())).items
        inside = (await store.chains(JobQuery(), tx=tx)).items

    assert [one.chain_id for one in outside] == ["00000002", "00000001"]
    assert [one.chain_id for one in inside] == ["00000002"]


async def test_options_and_strange_pages_are_refused(store: StateAdapter) -> None:
    with pytest.raises(InvalidArgument, match="pool_size"):
        adapter("memory://", pool_size=3)
    with pytest.raises(InvalidArgument, match="after"):
        await store.jobs(JobQuery(after="nonsense"))


async def test_a_claim_looks_at_few_of_many_waiting_jobs(store: StateAdapter) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    planned = [NewJob(chain_id=f"p{number:06d}", type="work", input="1", at=tomorrow) for number in range(3000)]
    await store.create([*planned, job(1)])

    assert await _claim(store) == ["00000001"]
    assert (await store.outcomes(["p000000"]))["p000000"].status is Status.SCHEDULED


async def test_a_job_waits_for_twenty_thousand_chains(store: StateAdapter) -> None:
    blockers = tuple(f"b{number:06d}" for number in range(20_000))
    await store.create([NewJob(chain_id=blocker, type="blocker", input="1") for blocker in blockers])
    await store.create([NewJob(chain_id="c", type="work", input="1", blockers=blockers)])

    made = await store.cancel(blockers[:1])
    await store.redrive(["b000000"])
    again = await store.redrive(["c"])
    (waiting,) = (await store.jobs(JobQuery(chain_ids=("c",)))).items

    assert [one.verb for one in made] == [Verb.CANCEL, Verb.FAIL_BY_BLOCKER]
    assert [one.target for one in again] == [Status.BLOCKED]
    assert waiting.blocked_by == 20_000


async def test_a_circle_is_told_chain_by_chain(store: StateAdapter) -> None:
    await store.create([NewJob(chain_id="a", type="work", input="1")])
    await store.create([NewJob(chain_id="b", type="work", input="1", blockers=("a",))])
    await store.create([NewJob(chain_id="c", type="work", input="1", blockers=("b",))])
    waits = Continues(Successor(type="next", input="1", blockers=("c",)))

    with pytest.raises(InvalidArgument, match="a → c → b → a"):
        await store.finish([Closure(chain_id="a", step="work", outcome=waits)])


# Hints


async def one_turn_of_the_loop() -> None:
    await asyncio.sleep(0)


HINT = Hint(HintKind.DUE, "work", 1.5)


@pytest.fixture
async def hints() -> AsyncGenerator[NotifyAdapter]:
    passing = notifier()
    await passing.open()
    yield passing
    await passing.close()


async def test_a_hint_comes_soon_to_every_receiver_and_never_at_once(hints: NotifyAdapter) -> None:
    first, second = list[Hint](), list[Hint]()
    hints.subscribe(first.append)
    hints.subscribe(second.append)

    hints.publish([HINT, HINT])
    assert first == []
    await one_turn_of_the_loop()

    assert first == second == [HINT, HINT]


async def test_a_receiver_that_raises_harms_no_other(hints: NotifyAdapter, caplog: pytest.LogCaptureFixture) -> None:
    received: list[Hint] = []

    def fails(hint: Hint) -> None:
        raise RuntimeError("broken receiver")

    hints.subscribe(fails)
    hints.subscribe(received.append)
    with caplog.at_level(logging.ERROR):
        hints.publish([HINT])
        await one_turn_of_the_loop()

    assert received == [HINT]
    assert "a receiver of hints failed on due work" in caplog.text


async def test_a_subscription_can_be_ended_once_and_again(hints: NotifyAdapter) -> None:
    received: list[Hint] = []
    end = hints.subscribe(received.append)

    hints.publish([HINT])
    end()
    end()
    await one_turn_of_the_loop()

    assert received == []


async def test_nothing_is_delivered_when_closed(hints: NotifyAdapter) -> None:
    received: list[Hint] = []
    hints.subscribe(received.append)

    hints.publish([HINT])
    await hints.close()
    await hints.close()
    hints.publish([HINT])
    await one_turn_of_the_loop()

    assert received == []


async def test_an_option_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="channel"):
        notifier(channel="x")
