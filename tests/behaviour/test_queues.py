"""Queues: a worker may be limited to some, jobs are found by them, and spans name them."""

from __future__ import annotations

import pytest

import otelq
from tests.telemetry.sdk import Sdk

from .support import ended, status

jobs = otelq.Jobs()


@jobs.job("mail", queue="mail")
async def mail(attempt: otelq.Attempt[int]) -> int | otelq.Continue[int]:
    return attempt.continue_with(bill, attempt.input) if attempt.input else 0


@jobs.job("bill", queue="money")
async def bill(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


@jobs.job("plain")
async def plain(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


async def test_a_worker_serves_the_types_of_its_queues_alone(client: otelq.Client) -> None:
    letter, invoice, other = await client.start(mail, 0), await client.start(bill, 1), await client.start(plain, 2)
    async with otelq.Worker(client, jobs, queues=["mail", "default"]):
        assert [await client.result(chain, timeout=10) for chain in (letter, other)] == [0, 2]
    assert await status(client, invoice) == "ready"


async def test_a_chain_that_continues_into_another_queue_waits_for_a_worker_of_that(client: otelq.Client) -> None:
    chain, later = await client.start(mail, 7), await client.start(mail, 0)
    async with otelq.Worker(client, jobs, queues=["mail"]):
        await ended(client, later)
    assert await status(client, chain) == "ready"
    async with otelq.Worker(client, jobs, queues=["money"]):
        assert await client.result(chain, timeout=10) == 7


async def test_without_queues_a_worker_serves_all(memory: otelq.Client) -> None:
    async with otelq.Worker(memory, jobs):
        assert await memory.result(await memory.start(mail, 7), timeout=10) == 7


async def test_a_queue_without_a_job_type_is_refused_with_those_that_there_are(memory: otelq.Client) -> None:
    with pytest.raises(otelq.InvalidArgument, match="'post' has no job type; there are default, mail, money"):
        otelq.Worker(memory, jobs, queues=["mail", "post"])


async def test_jobs_and_chains_are_found_by_queue(client: otelq.Client) -> None:
    async with otelq.Worker(client, jobs):
        chain = await client.start(mail, 7)
        await client.result(chain, timeout=10)
    moved = await client.start_many([otelq.Start(plain, 1, delay=3600).in_queue("mail")])
    [waiting] = moved
    mails = (await client.jobs(queue="mail")).items
    assert [(job.chain_id, job.type) for job in mails] == [(waiting.id, "plain"), (chain.id, "mail")]
    assert [job.type for job in (await client.jobs(queue=["money", "none"])).items] == ["bill"]
    assert [one.chain_id for one in (await client.chains(queue="mail", status="completed")).items] == [chain.id]
    assert (await client.chains(queue="money")).items == []
    assert (await client.count(queue="mail", status="open")).number == 1


async def test_spans_name_the_queue_of_their_job() -> None:
    sdk = Sdk()
    async with otelq.connect("memory://", tracer_provider=sdk.tracers) as client, otelq.Worker(client, jobs):
        await client.result(await client.start(mail, 7), timeout=10)
        await client.start_many([otelq.Start(plain, 1, delay=3600).in_queue("mail"), otelq.Start(mail, 0, delay=3600)])
        await client.cancel(await client.start(bill, 1, delay=3600))
    queues = {span.name: (span.attributes or {}).get("otelq.job.queue") for span in sdk.spans}
    assert {name: queues[name] for name in ("enqueue mail", "process mail", "enqueue bill", "process bill")} == {
        "enqueue mail": "mail",
        "process mail": "mail",
        "enqueue bill": "money",
        "process bill": "money",
    }
    assert (queues["enqueue"], queues["cancel bill"]) == ("mail", "money")
    sdk.shutdown()
