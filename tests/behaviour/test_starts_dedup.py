"""At most one chain for a key: which chain counts, for how long, and what the start that comes second is told."""

from __future__ import annotations

import asyncio

import pytest

import otelq

from .support import count, rolled_back

jobs = otelq.Jobs()


@jobs.job("sync")
async def sync(attempt: otelq.Attempt[str]) -> str | otelq.Continue[str]:
    return attempt.continue_with(publish, attempt.input)


@jobs.job("publish")
async def publish(attempt: otelq.Attempt[str]) -> str:
    return f"published {attempt.input}"


async def test_a_deduplicated_start_past_the_first_job_gives_the_chain_as_it_is_now(client: otelq.Client) -> None:
    key = otelq.Dedup("key", scope="any")
    first = await client.start(sync, "first", delay=3600, dedup=key)
    await client.complete(first, otelq.Continue(publish, "first", delay=3600), step=sync)
    again = await client.start(sync, "again", dedup=key)
    chain = await client.chain(again)
    assert (again.id, again.deduplicated) == (first.id, True)
    assert (chain.tail.type, chain.tail.status, chain.tail.output) == ("publish", "scheduled", None)
    with pytest.raises(TimeoutError):
        await client.result(again, timeout=0)
    await client.trigger(again)
    async with otelq.Worker(client, jobs):
        assert await client.result(again, timeout=10) == "published first"
    closed = await client.start(sync, "once more", dedup=key)
    assert (closed.deduplicated, await client.result(closed, timeout=0)) == (True, "published first")
    assert await count(client) == 2


async def test_a_key_of_any_scope_is_held_by_a_closed_chain_until_that_is_deleted(client: otelq.Client) -> None:
    key = otelq.Dedup("key", scope="any")
    first = await client.start(sync, "first", dedup=key)
    await client.cancel(first)
    assert (await client.start(sync, "second", dedup=key)).id == first.id
    await client.delete(first)
    assert not (await client.start(sync, "third", dedup=key)).deduplicated


async def test_the_scope_is_that_of_the_start_that_asks(client: otelq.Client) -> None:
    first = await client.start(sync, "first", dedup=otelq.Dedup("key", scope="any"))
    await client.cancel(first)
    second = await client.start(sync, "second", dedup=otelq.Dedup("key"))
    assert not second.deduplicated


async def test_a_chain_older_than_the_window_does_not_count(client: otelq.Client) -> None:
    first = await client.start(sync, "first", delay=3600, dedup=otelq.Dedup("key"))
    within = await client.start(sync, "within", dedup=otelq.Dedup("key", window=3600))
    assert within.id == first.id
    shortly = otelq.Dedup("key", window=0.05)
    while (second := await client.start(sync, "second", delay=3600, dedup=shortly)).deduplicated:
        assert second.id == first.id
    assert (await client.start(sync, "third", dedup=otelq.Dedup("key"))).id == second.id


async def test_an_excluded_chain_loses_its_key_to_the_next_one(client: otelq.Client) -> None:
    first = await client.start(sync, "first", delay=3600, dedup=otelq.Dedup("key"))
    other = otelq.Dedup("key", exclude=[otelq.new_id()])
    assert (await client.start(sync, "again", dedup=other)).id == first.id
    second = await client.start(sync, "second", delay=3600, dedup=otelq.Dedup("key", exclude=[first]))
    third = await client.start(sync, "third", delay=3600, dedup=otelq.Dedup("key", exclude=[first.id, second.id]))
    assert len({first.id, second.id, third.id}) == 3
    assert (await client.start(sync, "again", dedup=otelq.Dedup("key"))).id == third.id
    await client.cancel(first, second)  # which held the key before, and must not give it back now
    assert (await client.start(sync, "again", dedup=otelq.Dedup("key"))).id == third.id


async def test_a_chain_starts_its_own_next_one_under_the_same_key(client: otelq.Client) -> None:
    daily, started = otelq.Jobs(), list[otelq.Chain[int]]()

    @daily.job("daily")
    async def run(attempt: otelq.Attempt[int]) -> int:
        key = otelq.Dedup("daily", exclude=[attempt.chain_id])
        started.append(await attempt.client.start(run, attempt.input + 1, delay=3600, dedup=key))
        return attempt.input

    first = await client.start(run, 1, dedup=otelq.Dedup("daily"))
    async with otelq.Worker(client, daily):
        await client.result(first, timeout=10)
    assert not started[0].deduplicated
    assert (await client.start(run, 7, dedup=otelq.Dedup("daily"))).id == started[0].id


async def test_the_first_of_a_key_in_a_batch_counts_for_all_later_ones(client: otelq.Client) -> None:
    keys = [otelq.Dedup("key"), otelq.Dedup("key", scope="any"), otelq.Dedup("other"), otelq.Dedup("key", window=0.001)]
    chains = await client.start_many([otelq.Start(sync, str(n), dedup=key) for n, key in enumerate(keys)])
    assert [chain.deduplicated for chain in chains] == [False, True, False, True]
    assert chains[0].id == chains[1].id == chains[3].id
    assert await count(client) == 2


async def test_everything_else_of_a_deduplicated_start_is_ignored(client: otelq.Client) -> None:
    first = await client.start(sync, "first", delay=3600, dedup=otelq.Dedup("key"), tags={"a": "b"})
    blocker, id = await client.start(sync, "blocker", delay=3600), otelq.new_id()
    again = await client.start(
        sync, "again", id=id, priority=5, blockers=[blocker], tags={"a": "c"}, dedup=otelq.Dedup("key")
    )
    head = (await client.chain(again)).head
    assert (again.id, head.input, head.priority, head.status) == (first.id, '"first"', 0, "scheduled")
    assert (head.tags, await client.blockers(head.id)) == ({"a": "b"}, [])


async def test_many_starts_at_once_that_exclude_the_holder_make_one_chain(client: otelq.Client) -> None:
    first = await client.start(sync, "first", delay=3600, dedup=otelq.Dedup("key"))
    key = otelq.Dedup("key", exclude=[first])
    chains = await asyncio.gather(*(client.start(sync, str(n), delay=3600, dedup=key) for n in range(20)))
    assert {chain.id for chain in chains if not chain.deduplicated} == {chain.id for chain in chains}
    assert len({chain.id for chain in chains}) == 1


async def test_a_key_that_was_taken_in_a_transaction_that_rolls_back_is_with_its_holder(client: otelq.Client) -> None:
    first = await client.start(sync, "first", delay=3600, dedup=otelq.Dedup("key"))
    async with rolled_back(client) as tx:
        key = otelq.Dedup("key", exclude=[first])
        assert not (await client.start(sync, "second", delay=3600, dedup=key, tx=tx)).deduplicated
    assert (await client.start(sync, "third", dedup=otelq.Dedup("key"))).id == first.id
