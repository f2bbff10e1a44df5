"""Attempts that fail and come again."""

from __future__ import annotations

from otelq.model import Completes, Failure, Retries, Snoozes, Status, Verb

from ..cases import Theme
from ..kit import FAILURE, Kit, equal, moves, true

retry = Theme[Kit]("retry")


@retry.case
async def schedules_the_next_attempt(kit: Kit) -> None:
    """A failed attempt leaves the job scheduled after the delay, and the next attempt has the next number."""
    await kit.start()
    made = await kit.close(outcome=Retries(60, FAILURE))
    equal(moves(made), [(Verb.RETRY, Status.RUNNING, Status.SCHEDULED)], "the transitions")
    equal((made[0].due_at, made[0].attempt), (kit.after(60), 1), "when it becomes due, and the attempt that failed")
    equal(made[0].error_type, FAILURE.type, "the error's type")
    kit.wait(59)
    true(not await kit.claim(), "a job was claimed before its next attempt was due")
    kit.wait(1)
    job = await kit.lease()
    equal((job.attempt, job.crashes, job.due_at), (2, 0, kit.now), "attempt, crashes and due time")


@retry.case
async def may_be_at_once(kit: Kit) -> None:
    """A retry without a delay makes the job ready, due from now."""
    await kit.start()
    kit.wait(5)
    made = await kit.close(outcome=Retries(0, FAILURE))
    equal(moves(made), [(Verb.RETRY, Status.RUNNING, Status.READY)], "the transitions")
    job = await kit.lease()
    equal((job.attempt, job.due_at), (2, kit.now), "attempt and due time")


@retry.case
async def knows_the_trace_of_the_attempt_before(kit: Kit) -> None:
    """The next attempt is given the trace context of the one before, beside the job's own."""
    await kit.start(trace="00-job")
    await kit.done(await kit.lease(), Retries(0, FAILURE), trace="00-first")
    job = await kit.lease()
    equal((job.trace, job.last_trace), ("00-job", "00-first"), "the traces of job and attempt before")


@retry.case
async def keeps_a_record_of_each_attempt(kit: Kit) -> None:
    """The attempts of a job are listed first to last, each with how it ended."""
    chain = await kit.start()
    equal(list(await kit.adapter.attempts(chain, 0)), [], "the attempts of a job that never ran")
    tokens: list[int] = []
    started = kit.now
    for outcome in (Retries(0, FAILURE), Retries(0, Failure("X", "other")), Completes("1")):
        job = await kit.lease()
        tokens.append(job.lease.token)
        started = kit.now
        kit.wait(2)
        await kit.done(job, outcome, trace="00-attempt")
    records = await kit.adapter.attempts(chain, 0)
    equal([record.number for record in records], [1, 2, 3], "the numbers")
    equal([record.token for record in records], tokens, "the tokens")
    equal([record.verb for record in records], [Verb.RETRY, Verb.RETRY, Verb.COMPLETE], "how they ended")
    equal([record.failure for record in records], [FAILURE, Failure("X", "other"), None], "the failures")
    last = records[-1]
    equal((last.chain_id, last.position, last.worker), (chain, 0, "worker"), "chain, position and worker")
    equal((last.started_at, last.ended_at, last.trace), (started, kit.now, "00-attempt"), "times and trace")


@retry.case
async def counts_no_snooze(kit: Kit) -> None:
    """However often a job snoozes, its attempt stays the first."""
    await kit.start()
    for _ in range(3):
        job = await kit.lease()
        equal((job.attempt, job.crashes), (1, 0), "attempt and crashes")
        await kit.done(job, Snoozes(0))
