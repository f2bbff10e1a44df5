"""What the audit reads from rows is what happened, verb by verb; and the counters say the same."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

import pytest

import otelq
from otelq.model import Claimed, ClaimRequest, ReapRule, Renewal, Settlement, SettleResult, Snoozes, Transition, Verb
from otelq_verify.audit import changes, install, read, uninstall
from otelq_verify.audit.telemetry import difference, expected_counts, expected_spans, reported_counts, reported_spans
from tests.behaviour.support import AT_ONCE, ONCE, becomes, ended, for_ever, rolled_back
from tests.telemetry.sdk import Sdk

later = otelq.JobType("later", input=int, output=int)
"""Completed by the test."""
third = otelq.JobType("third", input=int, output=int)


async def verbs(client: otelq.Client) -> dict[str, list[str]]:
    """What happened to each chain, with positions where it has several; renewals apart."""
    reading = read(await changes(client))
    assert reading.oddities == []
    found: dict[str, list[str]] = {}
    for move in reading.moves:
        if move.verb is not Verb.RENEW:
            found.setdefault(move.chain_id, []).append(f"{move.verb}.{move.position}")
    return found


async def agrees(client: otelq.Client, sdk: Sdk) -> None:
    """Counters and spans say what rows say."""
    made = read(await changes(client)).moves
    said, happened = reported_counts(sdk.reader.get_metrics_data()), expected_counts(made)
    assert said == happened, difference(said, happened)
    spoken, done = reported_spans(sdk.spans), expected_spans(made)
    assert spoken == done, difference(spoken, done)


async def test_requests_of_the_application(client: otelq.Client, sdk: Sdk) -> None:
    triggered = await client.start(later, 1, delay=3600)
    await client.trigger(triggered)
    amended = await client.start(later, 1, delay=3600)
    await client.amend(amended, delay=60)
    await client.amend(amended, input=2, step=later)
    await client.amend(amended, priority=3, input=2, step=later)
    cancelled = await client.start(later, 1)
    await client.cancel(cancelled)
    await client.redrive(cancelled)
    await client.complete(cancelled, otelq.Continue(later, 2), step=later)
    await client.complete(cancelled, 3, step=later)
    deleted = await client.start(later, 1)
    await client.complete(deleted, otelq.Continue(third, 2), step=later)
    await client.delete(deleted)
    blocked = await client.start(third, 1, blockers=[triggered])
    ends_badly = await client.start(third, 1, blockers=[amended])
    in_vain = await client.start(third, 1, blockers=[amended, triggered], id=otelq.new_id())
    await client.complete(triggered, 3, step=later)
    await client.cancel(amended)
    born_failed = await client.start(third, 1, blockers=[amended])
    tied = await client.start(later, 1)
    await client.complete(tied, otelq.Continue(third, 2, blockers=[amended]), step=later)
    found = await verbs(client)
    assert found == {
        triggered.id: ["create.0", "trigger.0", "complete_externally.0"],
        amended.id: ["create.0", "amend.0", "amend.0", "amend.0", "cancel.0"],
        cancelled.id: [
            *("create.0", "cancel.0", "redrive.0", "complete_externally.0", "create.1", "complete_externally.1"),
        ],
        deleted.id: ["create.0", "complete_externally.0", "create.1", "delete.0", "delete.1"],
        blocked.id: ["create.0", "unblock.0"],
        ends_badly.id: ["create.0", "fail_by_blocker.0"],
        in_vain.id: ["create.0", "fail_by_blocker.0"],
        born_failed.id: ["create.0", "fail_by_blocker.0"],
        tied.id: ["create.0", "complete_externally.0", "create.1", "fail_by_blocker.1"],
    }
    await agrees(client, sdk)


async def test_attempts_of_a_worker(client: otelq.Client, sdk: Sdk) -> None:
    jobs = otelq.Jobs()

    @jobs.job("echo")
    async def echo(attempt: otelq.Attempt[int]) -> int:
        return attempt.input

    @jobs.job("steps", retry=AT_ONCE)
    async def steps(attempt: otelq.Attempt[int]) -> int | otelq.Continue[int]:
        if attempt.number == 1:
            raise ConnectionError
        return attempt.continue_with(steps, attempt.input - 1) if attempt.input else 0

    snoozed: set[str] = set()

    @jobs.job("waits", retry=ONCE)
    async def waits(attempt: otelq.Attempt[None]) -> int:
        if outputs := attempt.blockers(echo):
            return outputs[0]
        if attempt.chain_id not in snoozed:
            snoozed.add(attempt.chain_id)
            raise otelq.Snooze(0)
        raise otelq.WaitFor(await attempt.client.start(echo, 5))

    @jobs.job("waits_for_the_past", retry=ONCE)
    async def waits_for_the_past(attempt: otelq.Attempt[str]) -> int:
        if outputs := attempt.blockers(echo):
            return outputs[0]
        raise otelq.WaitFor(otelq.Chain(attempt.input, echo))

    @jobs.job("writes")
    async def writes(attempt: otelq.Attempt[None]) -> None:
        tx = await attempt.completion()
        await attempt.client.start(echo, attempt.number, tx=tx)
        if attempt.number == 1:
            raise otelq.RetryAfter(0)

    async with otelq.Worker(client, jobs, reap_interval=0.2):
        echoed = await client.start(echo, 1)
        assert await client.result(echoed) == 1
        stepped = await client.start(steps, 1)
        await client.result(stepped)
        waited = await client.start(waits, None)
        assert await client.result(waited) == 5
        had = await client.start(waits_for_the_past, echoed.id)
        assert await client.result(had) == 1
        bad = await client.start(later, 1)
        await client.cancel(bad)
        in_vain = await client.start(waits_for_the_past, bad.id)
        await ended(client, in_vain)
        wrote = await client.start(writes, None)
        await client.result(wrote)
        expired = await client.start(later, 1, expires=0.01)
        await ended(client, expired)
    found = await verbs(client)
    assert found[echoed.id] == ["create.0", "claim.0", "complete.0"]
    twice = ["claim.0", "retry.0", "claim.0"]
    assert found[stepped.id] == [
        *("create.0", *twice, "continue.0", "create.1", *(step.replace("0", "1") for step in twice), "complete.1"),
    ]
    assert found[waited.id] == [
        *("create.0", "claim.0", "snooze.0", "claim.0", "block.0", "unblock.0", "claim.0", "complete.0"),
    ]
    assert found[had.id] == ["create.0", "claim.0", "block.0", "unblock.0", "claim.0", "complete.0"]
    assert found[in_vain.id] == ["create.0", "claim.0", "block.0", "fail_by_blocker.0"]
    assert found[expired.id] == ["create.0", "expire.0"]
    assert len(found) == 10  # the two that were started by handlers, and none by the attempt that failed
    await agrees(client, sdk)


async def test_leases_that_end_otherwise(client: otelq.Client, sdk: Sdk) -> None:
    jobs = otelq.Jobs()

    @jobs.job("sleeps")
    async def sleeps(attempt: otelq.Attempt[None]) -> None:
        await for_ever()

    async with otelq.Worker(client, jobs, grace=0):
        cancelled = await client.start(sleeps, None)
        await becomes(client, cancelled, "running")
        await client.cancel(cancelled)
        completed = await client.start(sleeps, None)
        await becomes(client, completed, "running")
        await client.complete(completed, None, step=sleeps)
        deleted = await client.start(sleeps, None)
        await becomes(client, deleted, "running")
        await client.delete(deleted)
        released = await client.start(sleeps, None)
        await becomes(client, released, "running")
    found = await verbs(client)
    assert found == {
        cancelled.id: ["create.0", "claim.0", "cancel.0"],
        completed.id: ["create.0", "claim.0", "complete_externally.0"],
        deleted.id: ["create.0", "claim.0", "delete.0"],
        released.id: ["create.0", "claim.0", "release.0"],
    }
    await agrees(client, sdk)


async def test_leases_whose_worker_is_gone(client: otelq.Client, sdk: Sdk) -> None:
    state = client.engine.state

    async def lease(token: int, *, seconds: float) -> list[Claimed]:
        jobs, made = await state.claim(
            [ClaimRequest(type="later", limit=10, lease=seconds)], worker="gone", token=token
        )
        client.engine.effects.follow(made)  # as the fetcher of a worker does
        return list(jobs)

    reaped = await client.start(later, 1)
    for token in (75, 76):
        await lease(token, seconds=0.001)
        client.engine.effects.follow(await reap(client, ReapRule(type="later", max_attempts=2, max_crashes=9)))
    taken_over = await client.start(later, 2)
    [job] = await lease(77, seconds=60)
    assert await state.renew([Renewal(job.lease, 60)]) == [SettleResult.DONE]
    await client.take_over(taken_over)
    await lease(78, seconds=60)
    client.engine.effects.follow(await state.release_claim(78))
    assert await verbs(client) == {
        reaped.id: ["create.0", "claim.0", "reap.0", "claim.0", "reap.0"],
        taken_over.id: ["create.0", "claim.0", "take_over.0", "claim.0", "release.0"],
    }
    made = read(await changes(client)).moves
    assert [move.token for move in made if move.verb is Verb.RENEW] == [77]
    assert [move.target for move in made if move.verb is Verb.REAP] == ["ready", "failed"]
    said, happened = reported_counts(sdk.reader.get_metrics_data()), expected_counts(made)
    assert said == happened, difference(said, happened)


async def reap(client: otelq.Client, rule: ReapRule) -> Sequence[Transition]:
    """Reap until something was."""
    while not (made := await client.engine.state.reap([rule])):  # noqa: ASYNC110  # a lease that runs out has no event
        await asyncio.sleep(0.001)
    return made


async def test_a_change_that_is_rolled_back_leaves_no_record(client: otelq.Client) -> None:
    chain = await client.start(later, 1)
    before = await changes(client)
    async with rolled_back(client) as tx:
        await client.cancel(chain, tx=tx)
    assert await changes(client) == before
    assert before[-1].seq == (await changes(client, after=before[-2].seq))[0].seq
    assert await changes(client, limit=1) == before[:1]


async def test_tables_of_the_application_stand_in_one_order_with_those_of_otelq(client: otelq.Client) -> None:
    async with client.transaction() as connection:
        await connection.execute("CREATE TABLE ledger (chain_id text, number integer, closed_at text)")
    await install(client, also=["ledger"])
    for number in range(2):
        async with client.transaction() as connection:
            chain = await client.start(later, 1, tx=connection)
            await connection.execute(f"INSERT INTO ledger VALUES ('{chain.id}', {number}, 'never')")
    told = [(change.table, change.row.get("number")) for change in await changes(client)]
    assert [line for line in told if line[0] == "ledger"] == [("ledger", 0), ("ledger", 1)]
    assert [told.index(("ledger", 0)) < place for place, line in enumerate(told) if line[0] == "job"] == [False, True]
    await uninstall(client, also=["ledger"])
    await client.start(later, 1)
    async with client.transaction() as connection:
        await connection.execute("INSERT INTO ledger VALUES ('', 3, 'never')")
    await install(client)
    assert await changes(client) == []


@pytest.mark.parametrize("name", ["Otelq", "a b", 'x"', ""])
async def test_a_name_that_is_no_plain_identifier_is_refused(client: otelq.Client, name: str) -> None:
    with pytest.raises(otelq.InvalidArgument, match="schema"):
        await changes(client, name)
    with pytest.raises(otelq.InvalidArgument, match="also"):
        await install(client, also=[name])


# A verb that is written beside a change which it does not fit


async def odd(client: otelq.Client, *statements: str) -> list[str]:
    """What the audit finds odd once these statements were run behind otelq's back; {job} and its like are tables."""
    async with client.transaction() as connection:
        prefix = "otelq_" if hasattr(connection, "execute_fetchall") else "otelq."
        for statement in statements:
            await connection.execute(re.sub(r"\{(\w+)\}", rf"{prefix}\1", statement))
    return [oddity.detail for oddity in read(await changes(client)).oddities]


async def test_a_hot_row_that_vanishes_without_an_outcome_is_odd(client: otelq.Client) -> None:
    await client.start(later, 1)
    assert await odd(client, "DELETE FROM {open_job}") == ["a hot row vanished, or moved on, without an outcome"]


async def test_an_outcome_beside_which_nothing_closed_is_odd(client: otelq.Client) -> None:
    chain = await client.start(later, 1)
    await client.cancel(chain)
    await odd(client, "CREATE TABLE kept AS SELECT * FROM {outcome}", "DELETE FROM {outcome}")
    assert await odd(client, "INSERT INTO {outcome} SELECT * FROM kept") == [
        "outcome says cancel, but no hot row changed so"
    ]


async def test_a_token_that_takes_the_place_of_another_is_odd(client: otelq.Client) -> None:
    await client.start(later, 1)
    await client.engine.state.claim([ClaimRequest(type="later", limit=1, lease=60)], worker="w", token=5)
    [detail] = await odd(client, "UPDATE {open_job} SET token = 6")
    assert detail.startswith("nothing turns position=0 token=5")


async def test_a_retry_that_gives_the_attempt_back_is_odd(client: otelq.Client) -> None:
    await client.start(later, 1)
    [job], _ = await client.engine.state.claim([ClaimRequest(type="later", limit=1, lease=60)], worker="w", token=5)
    await client.engine.state.settle([Settlement(job, Snoozes(1), "w")])
    async with client.transaction() as connection:
        if not hasattr(connection, "execute_fetchall"):
            await connection.execute(
                "UPDATE otelq.audit SET new = new || '{\"verb\": \"retry\"}' WHERE name = 'attempt'"
            )
        else:
            await connection.execute(
                "UPDATE otelq_audit SET new = json_set(new, '$.verb', 'retry') WHERE name = 'attempt'"
            )
    [oddity] = read(await changes(client)).oddities
    assert oddity.detail.startswith("retry does not turn")
