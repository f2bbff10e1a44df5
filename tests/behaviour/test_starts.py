"""Starting, and what can be done with a chain that does not run yet: dedup, delays, trigger, cancel, delete."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

import otelq

from .support import becomes, count, rolled_back, status

jobs = otelq.Jobs()


@jobs.job("echo")
async def echo(attempt: otelq.Attempt[str]) -> str:
    return attempt.input


@jobs.job("gather")
async def gather(attempt: otelq.Attempt[None]) -> list[str]:
    return attempt.blockers(echo)


async def test_many_inputs_start_many_chains_in_their_order(client: otelq.Client) -> None:
    chains = await client.start_many(echo, ["a", "b", "c"])
    async with otelq.Worker(client, jobs):
        assert [await client.result(chain, timeout=10) for chain in chains] == ["a", "b", "c"]


async def test_many_starts_may_have_options_of_their_own(client: otelq.Client) -> None:
    now, later = await client.start_many([otelq.Start(echo, "now"), otelq.Start(echo, "later", delay=3600)])
    assert (await status(client, now), await status(client, later)) == ("ready", "scheduled")


async def test_many_starts_are_all_or_nothing(client: otelq.Client) -> None:
    taken = await client.start(echo, "there", id=otelq.new_id())
    with pytest.raises(otelq.AlreadyExists, match=taken.id):
        await client.start_many([otelq.Start(echo, "new"), otelq.Start(echo, "again", id=taken.id)])
    assert await count(client) == 1


async def test_many_starts_are_all_or_nothing_in_a_transaction_that_goes_on(client: otelq.Client) -> None:
    taken = await client.start(echo, "there", id=otelq.new_id())
    async with client.transaction() as tx:
        with pytest.raises(otelq.AlreadyExists):
            await client.start_many([otelq.Start(echo, "new"), otelq.Start(echo, "again", id=taken.id)], tx=tx)
        await client.start(echo, "beside", tx=tx)
    assert await count(client) == 2


async def test_no_starts_are_no_chains(client: otelq.Client) -> None:
    assert await client.start_many(echo, []) == []


async def test_an_id_can_be_chosen_once(client: otelq.Client) -> None:
    id = otelq.new_id()
    assert (await client.start(echo, "first", id=id)).id == id
    with pytest.raises(otelq.AlreadyExists, match=id):
        await client.start(echo, "second", id=id)
    assert (await client.chain(id)).head.input == '"first"'


async def test_a_delayed_job_is_scheduled_and_a_time_in_the_past_means_now(client: otelq.Client) -> None:
    planned = await client.start(echo, "planned", at=datetime.now(UTC) + timedelta(hours=1))
    past = await client.start(echo, "past", at=datetime.now(UTC) - timedelta(hours=1))
    assert (await status(client, planned), await status(client, past)) == ("scheduled", "ready")


async def test_a_delay_that_passes_starts_the_job_without_a_hint(client: otelq.Client) -> None:
    async with otelq.Worker(client, jobs, poll_interval=60):
        chain = await client.start(echo, "soon", delay=0.2)
        assert await client.result(chain, timeout=5) == "soon"
    job = (await client.chain(chain)).head
    assert job.closed_at is not None
    assert job.closed_at - job.created_at >= timedelta(seconds=0.2)


# Dedup


async def test_a_held_key_gives_the_chain_that_holds_it(client: otelq.Client) -> None:
    first = await client.start(echo, "first", dedup=otelq.Dedup("key"))
    second = await client.start(echo, "second", dedup=otelq.Dedup("key"))
    assert (second.id, first.deduplicated, second.deduplicated) == (first.id, False, True)
    assert await count(client) == 1


async def test_a_key_is_free_again_when_its_chain_is_closed(client: otelq.Client) -> None:
    async with otelq.Worker(client, jobs):
        first = await client.start(echo, "first", dedup=otelq.Dedup("key"))
        await client.result(first, timeout=10)
        second = await client.start(echo, "second", dedup=otelq.Dedup("key"))
        assert await client.result(second, timeout=10) == "second"


async def test_a_key_is_held_for_the_life_of_the_chain_not_of_its_first_job(client: otelq.Client) -> None:
    first = await client.start(gather, None, dedup=otelq.Dedup("key"))
    await client.complete(first, otelq.Continue(gather, None, delay=3600), step=gather)
    again = await client.start(gather, None, dedup=otelq.Dedup("key"))
    assert again.id == first.id


async def test_keys_of_different_types_do_not_meet(client: otelq.Client) -> None:
    first = await client.start(echo, "first", dedup=otelq.Dedup("key"))
    assert (await client.start(gather, None, dedup=otelq.Dedup("key"))).id != first.id


async def test_forty_starts_at_once_with_one_key_are_one_chain(client: otelq.Client) -> None:
    starts = [client.start(echo, str(n), dedup=otelq.Dedup("key")) for n in range(40)]
    chains = await asyncio.gather(*starts)
    assert len({chain.id for chain in chains}) == 1
    assert sum(not chain.deduplicated for chain in chains) == 1


async def test_a_cancelled_or_deleted_chain_gives_its_key_back(client: otelq.Client) -> None:
    for end in (client.cancel, client.delete):
        first = await client.start(echo, "first", dedup=otelq.Dedup("key"))
        assert not first.deduplicated
        await end(first)


# Trigger, cancel, delete


async def test_trigger_makes_a_scheduled_job_due(client: otelq.Client) -> None:
    chains = [await client.start(echo, str(n), delay=3600) for n in range(2)]
    await client.trigger(*chains)
    assert [await status(client, chain) for chain in chains] == ["ready", "ready"]


async def test_trigger_leaves_a_job_that_is_due_as_it_is(client: otelq.Client) -> None:
    chain = await client.start(echo, "due")
    await client.trigger(chain)
    assert await status(client, chain) == "ready"


async def test_trigger_of_several_is_all_or_nothing(client: otelq.Client) -> None:
    scheduled = await client.start(echo, "scheduled", delay=3600)
    closed = await client.start(echo, "closed")
    await client.cancel(closed)
    with pytest.raises(otelq.JobAlreadyClosed):
        await client.trigger(scheduled, closed)
    assert await status(client, scheduled) == "scheduled"


async def test_trigger_of_a_blocked_job_is_refused(client: otelq.Client) -> None:
    chain = await client.start(gather, None, blockers=[await client.start(echo, "blocker")])
    with pytest.raises(otelq.InvalidArgument, match="blocked"):
        await client.trigger(chain)


async def test_a_cancelled_chain_never_runs_and_stays_to_be_seen(client: otelq.Client) -> None:
    chain = await client.start(echo, "never", delay=3600)
    await client.cancel(chain.id)
    assert await status(client, chain) == "cancelled"
    with pytest.raises(otelq.JobAlreadyClosed):
        await client.cancel(chain)


async def test_a_deleted_chain_is_gone_with_its_history(client: otelq.Client) -> None:
    async with otelq.Worker(client, jobs):
        chain = await client.start(echo, "gone")
        await client.result(chain, timeout=10)
    await client.delete(chain)
    assert await client.attempts(f"{chain.id}.0") == []
    with pytest.raises(otelq.NotFound):
        await client.chain(chain)


async def test_a_chain_that_others_wait_for_is_not_deleted_alone(client: otelq.Client) -> None:
    blocker = await client.start(echo, "blocker")
    waiting = await client.start(gather, None, blockers=[blocker])
    with pytest.raises(otelq.StillReferenced):
        await client.delete(blocker)
    await client.delete(blocker, waiting)
    assert await count(client) == 0


async def test_what_a_transaction_changes_is_gone_when_it_rolls_back(client: otelq.Client) -> None:
    chain = await client.start(echo, "untouched", delay=3600)
    async with rolled_back(client) as tx:
        await client.cancel(chain, tx=tx)
        await client.start(echo, "never", tx=tx)
    assert (await status(client, chain), await count(client)) == ("scheduled", 1)


async def test_a_worker_runs_what_a_transaction_started_once_it_commits(client: otelq.Client) -> None:
    async with otelq.Worker(client, jobs, poll_interval=60):
        await asyncio.sleep(0)
        async with client.transaction() as tx:
            chain = await client.start(echo, "committed", tx=tx)
        assert await client.result(chain, timeout=5) == "committed"


# Questions


async def test_jobs_and_chains_are_listed_newest_first_in_pages(client: otelq.Client) -> None:
    started = [(await client.start(echo, str(n))).id for n in range(5)]
    first = await client.jobs(type=echo, status="open", limit=3)
    rest = await client.jobs(type=echo, status="open", limit=3, after=first.next)
    assert [job.chain_id for job in (*first.items, *rest.items)] == started[::-1]
    assert rest.next is None
    assert [chain.chain_id for chain in (await client.chains(type="echo")).items] == started[::-1]


async def test_jobs_are_found_by_status(client: otelq.Client) -> None:
    ready = await client.start(echo, "ready")
    cancelled = await client.start(echo, "cancelled")
    await client.cancel(cancelled)
    await becomes(client, ready, "ready")
    assert [job.chain_id for job in (await client.jobs(status="cancelled")).items] == [cancelled.id]
    assert [job.chain_id for job in (await client.jobs(status=["ready", "failed"])).items] == [ready.id]
