"""Types with aliases: a job that is stored under another name of its type is a job of the type, everywhere."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import otelq
from otelq.model import ClaimRequest

from . import process_work
from .support import for_ever, until

old: otelq.JobType[int, int] = otelq.JobType("charge", input=int, output=int)
new: otelq.JobType[int, int] = otelq.JobType("charge-card", aliases=["charge"], input=int, output=int)
ship: otelq.JobType[str, list[int]] = otelq.JobType[str, list[int]]("ship")
jobs = otelq.Jobs()


@jobs.handles(new)
async def _charge(attempt: otelq.Attempt[int]) -> int:
    assert attempt.type == "charge-card"
    return attempt.input + 1


@jobs.handles(ship)
async def _ship(attempt: otelq.Attempt[str]) -> list[int]:
    return attempt.blockers(new)


async def test_a_job_under_an_alias_runs_and_keeps_its_stored_name(client: otelq.Client) -> None:
    chains = [await client.start(old, 1), await client.start(new, 2)]
    async with otelq.Worker(client, jobs):
        assert [await client.result(chain, timeout=10) for chain in chains] == [2, 3]
    assert [(await client.chain(chain)).tail.type for chain in chains] == ["charge", "charge-card"]


async def test_a_handle_of_the_type_fits_a_chain_under_any_of_its_names(client: otelq.Client) -> None:
    chain = await client.start(old, 1)
    renamed = otelq.Chain(chain.id, new)
    copy = await client.copy(renamed)
    async with otelq.Worker(client, jobs):
        assert await client.result(renamed, timeout=10) == await client.result(copy, timeout=10) == 2
    assert (await client.chain(copy)).head.type == "charge-card"
    with pytest.raises(otelq.JobTypeMismatch, match="began with 'charge-card', not with 'charge'"):
        await client.result(otelq.Chain(copy.id, old))


async def test_a_start_under_an_alias_wakes_an_idle_worker(client: otelq.Client) -> None:
    async with otelq.Worker(client, jobs, poll_interval=3600):
        first = await client.start(new, 1)
        assert await client.result(first, timeout=10) == 2
        later = await client.start(old, 1, delay=0.05)
        assert await client.result(later, timeout=10) == 2


async def test_a_filter_by_the_type_finds_all_its_names_and_text_one_name(client: otelq.Client) -> None:
    await client.start_many([otelq.Start(old, 1), otelq.Start(new, 1), otelq.Start(ship, "")])
    filters: list[Any] = [new, old, "charge", "charge-card", [new, "ship"]]
    for of in (client.jobs, client.chains):
        assert [len((await of(type=one)).items) for one in filters] == [2, 1, 1, 1, 3]
    assert (await client.count(chain_type=new)).number == 2


async def test_a_step_is_of_the_type_under_any_of_its_names(client: otelq.Client) -> None:
    chains = await client.start_many([otelq.Start(old, 1, delay=60), otelq.Start(new, 1, delay=60)])
    for chain in chains:
        handle = otelq.Chain(chain.id, new)
        await client.amend(handle, step=new, input=5)
        await client.complete(handle, otelq.Continue(new, 7, delay=60), step=new)
        await client.complete(handle, 8, step=new)
        assert await client.result(handle, timeout=0) == 8
    other = await client.start(new, 1, delay=60)
    with pytest.raises(otelq.JobTypeMismatch, match="is charge-card, not charge"):
        await client.complete(other, 1, step=old)


async def test_a_step_under_an_alias_that_is_closed_is_known_as_such(client: otelq.Client) -> None:
    chain = await client.start(old, 1, delay=60)
    other: otelq.JobType[int, int] = otelq.JobType("other", input=int, output=int)
    await client.complete(chain, otelq.Continue(other, 1, delay=60), step=old)
    with pytest.raises(otelq.JobAlreadyClosed, match="charge-card"):
        await client.complete(chain, 1, step=new)


async def test_blockers_under_an_alias_are_blockers_of_the_type(client: otelq.Client) -> None:
    blockers = [await client.start(old, 1), await client.start(new, 2)]
    chain = await client.start(ship, "", blockers=blockers)
    async with otelq.Worker(client, jobs):
        assert await client.result(chain, timeout=10) == [2, 3]


async def test_all_names_share_the_concurrency_of_the_type(client: otelq.Client) -> None:
    narrow, running, most = otelq.Jobs(), 0, 0

    @narrow.handles(new, concurrency=2)
    async def _narrow(attempt: otelq.Attempt[int]) -> int:
        nonlocal running, most
        running, most = running + 1, max(most, running + 1)
        await asyncio.sleep(0)
        await attempt.client.count(type=new)
        running -= 1
        return attempt.input

    chains = await client.start_many([otelq.Start(one, 1) for one in (old, new) for _ in range(6)])
    async with otelq.Worker(client, narrow):
        for chain in chains:
            await client.result(chain, timeout=10)
    assert most == 2


async def test_no_name_waits_for_ever_behind_another(client: otelq.Client) -> None:
    busy, ran = otelq.Jobs(), list[otelq.Chain[int]]()

    @busy.handles(new)
    async def _busy(attempt: otelq.Attempt[int]) -> int:
        ran.append(await attempt.client.start(new, 0))  # so that the present name always has a job that is due
        return attempt.input

    await client.start(new, 0)
    chain = await client.start(old, 1)
    async with otelq.Worker(client, busy, concurrency=1):
        assert await client.result(chain, timeout=10) == 1
    assert len(ran) < 10


async def test_a_job_under_an_alias_is_taken_back_from_a_dead_worker(client: otelq.Client) -> None:
    chain = await client.start(old, 1)
    wanted = ClaimRequest(type="charge", limit=1, lease=0.001)
    await client.engine.state.claim([wanted], worker="gone", token=7, include_suspect=False)
    async with otelq.Worker(client, jobs):
        assert await client.result(chain, timeout=10) == 2


async def test_a_chain_continues_into_an_alias_and_on_from_it(client: otelq.Client) -> None:
    mixed, first = otelq.Jobs(), otelq.JobType("first", input=int, output=int)

    @mixed.handles(first)
    async def _first(attempt: otelq.Attempt[int]) -> otelq.Continue[int]:
        return attempt.continue_with(old, attempt.input)

    @mixed.handles(new)
    async def _then(attempt: otelq.Attempt[int]) -> int | otelq.Continue[int]:
        return attempt.continue_with(new, attempt.input + 1) if attempt.input < 3 else attempt.input

    chain = await client.start(first, 1)
    async with otelq.Worker(client, mixed):
        assert await client.result(chain, timeout=10) == 3
    assert [job.type for job in (await client.jobs(chain=chain)).items] == [
        "first", "charge", "charge-card", "charge-card",
    ]  # fmt: skip


async def test_a_handler_in_a_process_runs_a_job_under_an_alias_and_reads_blockers_under_one(
    memory: otelq.Client,
) -> None:
    summed: otelq.JobType[str, tuple[str, list[str]]] = otelq.JobType[str, tuple[str, list[str]]]("sums")
    blocker = await memory.start(summed, "")
    chain = await memory.start(summed, "", blockers=[blocker])
    async with otelq.Worker(memory, process_work.jobs):
        assert await memory.result(chain, timeout=30) == ("adds", ["adds after []"])


async def test_a_cancel_reaches_a_handler_whose_job_is_under_an_alias(memory: otelq.Client) -> None:
    slow, reasons = otelq.Jobs(), list[Any]()

    @slow.handles(new)
    async def _slow(attempt: otelq.Attempt[int]) -> int:
        try:
            reasons.append(None)
            await for_ever()
        finally:
            reasons.append(attempt.cancel_reason)

    chain = await memory.start(old, 1)
    async with otelq.Worker(memory, slow):
        await until(lambda: reasons)
        await memory.cancel(chain)
        await until(lambda: len(reasons) == 2)
    assert reasons[1] is otelq.CancelReason.CANCELLED


async def test_without_the_alias_a_renamed_type_waits_and_explain_says_that_nothing_serves_it(
    memory: otelq.Client,
) -> None:
    chain = await memory.start(otelq.JobType("forgotten", input=int, output=int), 1)
    known = await memory.start(old, 1)
    async with otelq.Worker(memory, jobs):
        await memory.result(known, timeout=10)
        waiting = await memory.start(old, 1, delay=60)
        assert otelq.ReasonCode.NO_WORKER in {reason.code for reason in (await memory.explain(chain)).reasons}
        assert otelq.ReasonCode.NO_WORKER not in {reason.code for reason in (await memory.explain(waiting)).reasons}
    assert (await memory.chain(chain)).tail.status == "ready"


async def test_an_input_that_is_encrypted_under_an_alias_is_read(tmp_path: Path) -> None:
    codec = otelq.Encryption({"key": b"k" * 32}, use="key")
    async with otelq.connect(f"sqlite:///{tmp_path}/otelq.db", codec=codec) as client:
        chain = await client.start(old, 1, delay=60)
        await client.amend(chain, step=new, input=4)
        other = await client.start(old, 1)
        async with otelq.Worker(client, jobs):
            await client.trigger(chain)
            assert [await client.result(one, timeout=10) for one in (chain, other)] == [5, 2]
