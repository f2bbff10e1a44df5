"""What can be asked about jobs and chains, and how pages come."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import otelq
from otelq.model import JobQuery

from .support import Away, ended

jobs = otelq.Jobs()


@dataclass(frozen=True)
class Order:
    customer: dict[str, Any]
    lines: list[str]


@jobs.job("place")
async def place(attempt: otelq.Attempt[Order]) -> otelq.Continue[dict[str, int]]:
    return attempt.continue_with(ship, len(attempt.input.lines))


@jobs.job("ship")
async def ship(attempt: otelq.Attempt[int]) -> dict[str, int]:
    return {"parcels": attempt.input}


@jobs.job("steps")
async def steps(attempt: otelq.Attempt[int]) -> int | otelq.Continue[int]:
    return attempt.continue_with(steps, attempt.input - 1) if attempt.input else 0


ANN = Order({"id": 42, "a.b": "dotted", "0": "digit"}, ["hat", "100%_coat"])
BOB = Order({"id": 43}, ["shoe", "Hat"])


async def placed(client: otelq.Client) -> tuple[otelq.Chain[Any], otelq.Chain[Any]]:
    """Two orders that were shipped, the first one's chain first."""
    async with otelq.Worker(client, jobs):
        chains = [await client.start(place, order, tags={"shop": "north"}) for order in (ANN, BOB)]
        for chain in chains:
            await client.result(chain, timeout=10)
    return chains[0], chains[1]


async def found(client: otelq.Client, **filters: Any) -> list[str]:
    """The ids of the chains that pass the filters, through chains() and, once each, through jobs()."""
    return [chain.chain_id for chain in (await client.chains(**filters)).items]


@pytest.mark.parametrize(
    "path, value",
    [
        ("customer.id", 42),
        ("lines.1", "100%_coat"),
        (("customer", "a.b"), "dotted"),
        (("customer", "0"), "digit"),
        ("customer", ANN.customer),
        ("lines", ANN.lines),
    ],
)
async def test_chains_are_found_by_a_value_at_a_path_of_their_input(
    client: otelq.Client, path: str | tuple[str, ...], value: object
) -> None:
    ann, _ = await placed(client)
    assert await found(client, input={path: value}) == [ann.id]


async def test_a_path_that_is_not_there_finds_nothing(client: otelq.Client) -> None:
    await placed(client)
    for path in ("customer.name", "lines.7", "lines.id", "customer.id.deeper", "nothing"):
        assert await found(client, input={path: None}) == []


async def test_a_value_of_another_kind_is_another_value(client: otelq.Client) -> None:
    await placed(client)
    assert await found(client, input={"customer.id": "42"}) == []


async def test_chains_are_found_by_the_output_of_their_last_job(client: otelq.Client) -> None:
    ann, bob = await placed(client)
    await client.start(place, ANN, delay=3600)
    assert await found(client, output={"parcels": 2}) == [bob.id, ann.id]
    assert await found(client, output={"parcels": 2}, input={"customer.id": 43}) == [bob.id]


async def test_text_is_found_letter_for_letter_in_input_and_output(client: otelq.Client) -> None:
    ann, bob = await placed(client)
    assert await found(client, text="100%_c") == [ann.id]
    assert await found(client, text="100__c") == []
    assert await found(client, text="Hat") == [bob.id]
    assert await found(client, text='"parcels"') == [bob.id, ann.id]


async def test_jobs_are_found_by_the_type_of_their_chain(client: otelq.Client) -> None:
    ann, bob = await placed(client)
    await client.start(ship, 1, delay=3600)
    page = await client.jobs(type=ship, chain_type=place)
    assert [job.id for job in page.items] == [f"{bob.id}.1", f"{ann.id}.1"]


async def test_tags_and_tenants_are_found_and_every_one_must_hold(client: otelq.Client) -> None:
    first = await client.start(ship, 1, tags={"shop": "north", "vip": "yes"}, tenant="acme")
    second = await client.start(ship, 2, tags={"shop": "north"}, tenant="globex")
    assert await found(client, tags={"shop": "north"}) == [second.id, first.id]
    assert await found(client, tags={"shop": "north", "vip": "yes"}) == [first.id]
    assert await found(client, tenant="globex") == [second.id]
    assert await found(client, tenant="globex", tags={"vip": "yes"}) == []
    assert [job.chain_id for job in (await client.jobs(tenant="acme")).items] == [first.id]


async def test_chains_are_found_by_the_time_of_their_start(client: otelq.Client) -> None:
    chain, now = await client.start(ship, 1), datetime.now(UTC)
    minute = timedelta(minutes=1)
    assert await found(client, since=now - minute, until=now + minute) == [chain.id]
    assert await found(client, since=now + minute) == []
    assert await found(client, until=now - minute) == []


async def test_a_chain_is_found_between_the_times_just_before_and_just_after_its_start(client: otelq.Client) -> None:
    for _ in range(20):
        before = datetime.now(UTC)
        chain = await client.start(ship, 1)
        after = datetime.now(UTC)
        assert chain.id in await found(client, since=before)
        assert chain.id in await found(client, since=before, until=after)
        assert chain.id not in await found(client, until=before - timedelta(milliseconds=2))


@pytest.mark.parametrize("thousandths", range(20))
def test_times_are_taken_to_the_millisecond_of_the_id(thousandths: int) -> None:
    made = datetime(2026, 3, 14, 1, 59, 26, 535_000 + 1_000 * thousandths, tzinfo=UTC)
    bounds = JobQuery(since=made, until=made)
    digits = f"{int(made.timestamp()) * 1000 + 535 + thousandths:012x}"
    assert bounds.first_id == f"{digits[:8]}-{digits[8:]}-0000-0000-000000000000"
    assert bounds.last_id == f"{digits[:8]}-{digits[8:]}-ffff-ffff-ffffffffffff"


@pytest.mark.parametrize("year", [1, 1969, 9999])
async def test_any_time_may_be_asked_for(client: otelq.Client, year: int) -> None:
    chain = await client.start(ship, 1)
    then = datetime(year, 6, 30, tzinfo=UTC)
    assert await found(client, since=then) == ([chain.id] if year < 1970 else [])
    assert await found(client, until=then) == ([] if year < 1970 else [chain.id])
    page = await client.jobs(since=datetime.min.replace(tzinfo=UTC), until=datetime.max.replace(tzinfo=UTC))
    assert [job.chain_id for job in page.items] == [chain.id]


def without_dashes(id: str) -> str:
    return id.replace("-", "")


@pytest.mark.parametrize("respelt", [str.upper, without_dashes])
async def test_a_page_goes_on_after_an_id_in_any_spelling(client: otelq.Client, respelt: Callable[[str], str]) -> None:
    await client.start_many(ship, range(3))
    first = await client.jobs(limit=1)
    jobs_after = await client.jobs(after=respelt(first.next or ""))
    chains_after = await client.chains(after=respelt(first.items[0].chain_id))
    assert (len(jobs_after.items), len(chains_after.items)) == (2, 2)


async def test_chains_are_found_by_their_ids_whatever_else_there_is(client: otelq.Client) -> None:
    started = await client.start_many(ship, range(6))
    some = [started[4], started[1].id, otelq.new_id()]
    assert await found(client, ids=some) == [started[4].id, started[1].id]
    assert await found(client, ids=some, status="completed") == []


async def test_by_no_ids_at_all_nothing_is_found(client: otelq.Client) -> None:
    await client.start_many(ship, range(3))
    assert await found(client, ids=[]) == []
    assert (await client.jobs(ids=[])).items == []
    assert await client.count(of="chains", ids=[]) == otelq.Count(0, exact=True)


async def test_jobs_are_found_by_their_ids_in_one_page(client: otelq.Client) -> None:
    async with otelq.Worker(client, jobs):
        older, newer = await client.start(steps, 3), await client.start(steps, 2)
        for chain in (older, newer):
            await client.result(chain, timeout=10)
    ids = [f"{older.id}.1", f"{newer.id}.2", f"{older.id}.9", f"{otelq.new_id()}.0", f"{newer.id}.0"]
    page = await client.jobs(ids=ids, limit=1)
    assert [job.id for job in page.items] == [f"{newer.id}.0", f"{newer.id}.2", f"{older.id}.1"]
    assert page.next is None
    closed = await client.jobs(ids=ids, status="completed")
    assert [job.id for job in closed.items] == [f"{newer.id}.2"]


async def test_roots_are_chains_that_are_nobodys_blocker(client: otelq.Client) -> None:
    part = await client.start(ship, 1)
    whole = await client.start(ship, 2, blockers=[part])
    assert await found(client, roots=True) == [whole.id]
    assert await found(client) == [whole.id, part.id]


async def test_the_dependents_of_a_chain_are_found_also_when_they_wait_no_more(client: otelq.Client) -> None:
    part = await client.start(ship, 1)
    whole = await client.start(ship, 2, blockers=[part])
    assert [job.id for job in (await client.jobs(blocked_by=part)).items] == [f"{whole.id}.0"]
    async with otelq.Worker(client, jobs):
        await client.result(whole, timeout=10)
    assert await found(client, blocked_by=part.id) == [whole.id]
    assert await found(client, blocked_by=whole) == []


async def test_the_blockers_of_a_job_are_told_in_their_order_and_as_they_stand(client: otelq.Client) -> None:
    done, waiting = await client.start(ship, 1), await client.start(ship, 2, delay=3600)
    async with otelq.Worker(client, jobs):
        await client.result(done, timeout=10)
    whole = await client.start(ship, 3, blockers=[waiting, done])
    told = await client.blockers(f"{whole.id}.0")
    assert [(one.chain_id, one.status) for one in told] == [(waiting.id, "scheduled"), (done.id, "completed")]
    assert json.loads(told[1].output or "") == {"parcels": 1}
    assert await client.blockers(f"{done.id}.0") == []


async def test_the_jobs_of_a_chain_come_first_to_last_in_pages(client: otelq.Client) -> None:
    async with otelq.Worker(client, jobs):
        chain = await client.start(steps, 6)
        await client.result(chain, timeout=10)
    first = await client.chain_jobs(chain, limit=4)
    rest = await client.chain_jobs(chain.id, limit=4, after=first.next)
    assert [job.position for job in (*first.items, *rest.items)] == list(range(7))
    assert rest.next is None
    with pytest.raises(otelq.NotFound):
        await client.chain_jobs(otelq.new_id())


async def test_every_job_and_chain_is_iterated_once_across_pages(
    memory: otelq.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otelq.client.client.LARGEST_PAGE", 7)
    started = [chain.id for chain in await memory.start_many(ship, range(30))][::-1]
    assert [job.chain_id async for job in memory.iterate_jobs(status="open")] == started
    assert [chain.chain_id async for chain in memory.iterate_chains(type=ship)] == started
    assert [chain async for chain in memory.iterate_chains(type="place")] == []


async def test_counts_are_exact_up_to_their_limit(client: otelq.Client) -> None:
    await client.start_many(ship, range(12))
    assert await client.count(of="chains", type=ship) == otelq.Count(12, exact=True)
    assert await client.count(status="open", limit=12) == otelq.Count(12, exact=True)
    assert await client.count(limit=5) == otelq.Count(5, exact=False)
    assert await client.count(of="chains", status="failed") == otelq.Count(0, exact=True)


async def test_one_job_of_a_long_chain_is_found_with_one_question(client: otelq.Client) -> None:
    store = Away()
    async with otelq.connect(store) as memory:
        async with otelq.Worker(memory, jobs):
            chain = await memory.start(steps, 50)
            await memory.result(chain, timeout=10)
        before = store.asked.get("jobs", 0)
        assert (await memory.job(f"{chain.id}.31")).position == 31
        assert store.asked["jobs"] - before == 1


async def test_the_input_that_was_amended_is_the_one_that_is_searched(client: otelq.Client) -> None:
    chain = await client.start(place, ANN, delay=3600)
    await client.amend(chain, step=place, input=BOB)
    assert await found(client, input={"customer.id": 43}) == [chain.id]
    assert await found(client, input={"customer.id": 42}) == []


async def test_filters_and_statuses_of_every_kind_agree_with_what_is_there(client: otelq.Client) -> None:
    async with otelq.Worker(client, jobs):
        done = await client.start(ship, 1, tenant="acme")
        await client.result(done, timeout=10)
    cancelled, late = await client.start(ship, 2, tenant="acme"), await client.start(ship, 3, delay=3600)
    await client.cancel(cancelled)
    assert (await ended(client, cancelled)).status == "cancelled"
    assert await found(client, status=["completed", "cancelled"], tenant="acme") == [cancelled.id, done.id]
    assert await found(client, status="open", tenant="acme") == []
    assert await found(client, status=["scheduled", "completed"]) == [late.id, done.id]
