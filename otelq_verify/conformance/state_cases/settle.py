"""The outcomes of attempts, written once."""

from __future__ import annotations

from otelq.model import (
    ClaimSuccessor,
    Completes,
    Continues,
    Fails,
    Outcome,
    Releases,
    Settlement,
    SettleResult,
    Snoozes,
    Status,
    Successor,
    Verb,
)

from ..cases import Theme
from ..kit import FAILURE, Kit, before_the_end, chains, equal, ids, moves, patience_of, true
from .fence import OUTCOMES

settle = Theme[Kit]("settle")
NEXT = Successor(type="next", input='{"step":2}')


@settle.case
async def completes(kit: Kit) -> None:
    """Completing closes the chain with its output."""
    chain = await kit.start(trace="00-trace")
    job = await kit.lease()
    kit.wait(3)
    made = await kit.done(job, Completes('{"sum":7}'), worker="w1")
    equal(moves(made), [(Verb.COMPLETE, Status.RUNNING, Status.COMPLETED)], "the transitions")
    move = made[0]
    equal((move.chain_id, move.position, move.attempt), (chain, 0, 1), "chain, position and attempt")
    equal((move.at, move.worker, move.trace), (kit.now, "w1", "00-trace"), "time, worker and trace")
    outcome = await kit.outcome(chain)
    equal((outcome.status, outcome.type, outcome.failure), (Status.COMPLETED, "work", None), "the outcome")
    equal(_compact(outcome.output), '{"sum":7}', "the output")
    record = await kit.tail(chain)
    equal((record.status, record.closed_at, record.attempt), (Status.COMPLETED, kit.now, 1), "the record")


def _compact(text: str | None) -> str | None:
    return text and text.replace(" ", "")


@settle.case
async def fails(kit: Kit) -> None:
    """Failing closes the chain with its reason."""
    chain = await kit.start()
    made = await kit.close(outcome=Fails(FAILURE))
    equal(moves(made), [(Verb.FAIL, Status.RUNNING, Status.FAILED)], "the transitions")
    equal(made[0].error_type, FAILURE.type, "the error's type")
    outcome = await kit.outcome(chain)
    equal((outcome.status, outcome.output, outcome.failure), (Status.FAILED, None, FAILURE), "the outcome")


@settle.case
async def continues(kit: Kit) -> None:
    """Continuing closes the job and creates its successor in the same commit, at the next position."""
    chain = await kit.start()
    job = await kit.lease()
    kit.wait(5)
    made = await kit.done(
        job, Continues(Successor(type="next", input='"two"', queue="mail", trace="00-second", meta='{"a":"b"}'))
    )
    equal(
        moves(made),
        [(Verb.CONTINUE, Status.RUNNING, Status.CONTINUED), (Verb.CREATE, None, Status.READY)],
        "the transitions",
    )
    created = made[1]
    equal((created.chain_id, created.position, created.attempt), (chain, 1, 0), "the successor")
    equal((created.type, created.chain_type, created.queue), ("next", "work", "mail"), "types and queue")
    equal(created.created_at, kit.now, "the time of the successor's creation")
    equal(created.chain_created_at, made[0].created_at, "the time of the chain's creation")
    successor = await kit.lease("next")
    equal((successor.input, successor.attempt, successor.crashes), ('"two"', 1, 0), "the successor claimed")
    equal((successor.queue, successor.trace), ("mail", "00-second"), "queue and trace of the successor")
    equal((successor.lease.position, successor.blockers), (1, 0), "its position and blockers")


@settle.case
async def keeps_the_chain_open_while_it_continues(kit: Kit) -> None:
    """A chain that continued has the status of its tail; its output is the last job's."""
    chain = await kit.start()
    await kit.close(outcome=Continues(NEXT))
    equal(await kit.status(chain), Status.READY, "the chain's status after the continuation")
    await kit.close("next", Completes('"end"'))
    outcome = await kit.outcome(chain)
    equal((outcome.status, outcome.type, outcome.output), (Status.COMPLETED, "work", '"end"'), "the outcome")
    equal([one.status for one in await kit.records(chain)], [Status.CONTINUED, Status.COMPLETED], "the jobs")


@settle.case
async def plans_the_successor(kit: Kit) -> None:
    """A successor may be delayed or planned, and is not claimed early."""
    await kit.create(kit.job(), kit.job())
    due = kit.after(60)
    for successor in (Successor(type="next", input="1", delay=60), Successor(type="next", input="1", at=due)):
        made = await kit.close(outcome=Continues(successor))
        equal(moves(made)[1:], [(Verb.CREATE, None, Status.SCHEDULED)], "the successor's transition")
        equal(made[1].due_at, due, "when the successor becomes due")
    kit.wait(59)
    true(not await kit.claim("next"), "a successor was claimed early")
    kit.wait(1)
    equal(len(await kit.claim("next", 2)), 2, "successors claimed when due")


@settle.case
async def hands_the_priority_on(kit: Kit) -> None:
    """A successor without a priority has its predecessor's; one with a priority has its own."""
    await kit.start(priority=4)
    await kit.close(outcome=Continues(Successor(type="next", input="1")))
    job = await kit.lease("next")
    equal(job.priority, 4, "the priority handed on")
    await kit.done(job, Continues(Successor(type="last", input="1", priority=-2)))
    equal((await kit.lease("last")).priority, -2, "the priority given")


@settle.case
async def starts_the_successor_without_crashes(kit: Kit) -> None:
    """Attempts and crashes belong to a job, not to its chain."""
    await kit.start()
    await kit.lease(lease=1)
    kit.wait(2)
    await kit.reap()
    await kit.close(outcome=Continues(NEXT))
    successor = await kit.lease("next", suspect=False)
    equal((successor.attempt, successor.crashes), (1, 0), "attempt and crashes of the successor")


@settle.case
async def snoozes(kit: Kit) -> None:
    """Snoozing schedules the job and gives the attempt back."""
    await kit.start()
    made = await kit.close(outcome=Snoozes(60))
    equal(moves(made), [(Verb.SNOOZE, Status.RUNNING, Status.SCHEDULED)], "the transitions")
    equal(made[0].due_at, kit.after(60), "when the job becomes due")
    kit.wait(59)
    true(not await kit.claim(), "a snoozing job was claimed")
    kit.wait(1)
    equal((await kit.lease()).attempt, 1, "the attempt after a snooze")


@settle.case
async def snoozes_with_a_failure(kit: Kit) -> None:
    """A snooze that holds a failure stores it with the attempt and names it in the transition."""
    chain = await kit.start()
    made = await kit.close(outcome=Snoozes(60, FAILURE))
    equal((made[0].verb, made[0].target, made[0].error_type), (Verb.SNOOZE, Status.SCHEDULED, FAILURE.type), "the move")
    [attempt] = await kit.adapter.attempts(chain, 0)
    equal((attempt.verb, attempt.failure), (Verb.SNOOZE, FAILURE), "the attempt on record")
    kit.wait(60)
    equal((await kit.lease()).attempt, 1, "the attempt after a snooze")


@settle.case
async def releases(kit: Kit) -> None:
    """Releasing makes the job ready at once and gives the attempt back."""
    await kit.start()
    made = await kit.close(outcome=Releases())
    equal(moves(made), [(Verb.RELEASE, Status.RUNNING, Status.READY)], "the transitions")
    job = await kit.lease()
    equal((job.attempt, job.crashes), (1, 0), "attempt and crashes after a release")


@settle.case
async def takes_a_mixed_batch(kit: Kit) -> None:
    """A batch may hold every kind of outcome; each is written for itself."""
    jobs = [kit.job() for _ in OUTCOMES]
    await kit.create(*jobs)
    claimed = await kit.claim(limit=len(OUTCOMES))
    batch = [Settlement(job, outcome, "w") for job, outcome in zip(claimed, OUTCOMES.values(), strict=True)]
    settled = await kit.settle_all(*batch)
    equal(set(settled.results), {SettleResult.DONE}, "the verdicts")
    verbs = [Verb.COMPLETE, Verb.CONTINUE, Verb.RETRY, Verb.SNOOZE, Verb.FAIL, Verb.RELEASE]
    for job, verb in zip(claimed, verbs, strict=True):
        equal(chains(settled.transitions, verb), [job.lease.chain_id], f"the chains that {verb}")


@settle.case
async def takes_hundreds(kit: Kit) -> None:
    """A batch of hundreds is written whole."""
    await kit.create(*(kit.job() for _ in range(300)))
    claimed = await kit.claim(limit=300)
    settled = await kit.settle_all(*(Settlement(job, Completes("1"), "worker") for job in claimed))
    equal((len(claimed), settled.results), (300, (SettleResult.DONE,) * 300), "jobs claimed, and verdicts")
    equal(len(set(chains(settled.transitions, Verb.COMPLETE))), 300, "chains completed")


# Repeating a call whose reply was lost


def _repeats(name: str, outcome: Outcome) -> None:
    async def check(kit: Kit) -> None:
        await kit.start()
        job = await kit.lease()
        first = await kit.settle(job, outcome)
        kit.wait(1)
        second = await kit.settle(job, outcome)
        equal(second.results, (SettleResult.DONE,), "the result on the repeat")
        equal(list(second.transitions), list(first.transitions), "the transitions of the repeat")
        equal(len(await kit.records(job.lease.chain_id)), 2 if name == "continues" else 1, "jobs in the chain")

    promise = f"Repeated after a lost reply, a settlement that {name} is DONE with the same transitions."
    settle.add(f"repeats_one_that_{name}", promise, check)


for _name, _outcome in OUTCOMES.items():
    _repeats(_name, _outcome)


@settle.case
async def repeats_beside_a_new_holder(kit: Kit) -> None:
    """A repeated settlement is DONE even if the job runs elsewhere by now, and does not affect that run."""
    await kit.start()
    job = await kit.lease()
    await kit.done(job, Releases())
    new = await kit.lease()
    equal((await kit.settle(job, Releases())).results, (SettleResult.DONE,), "the result on the repeat")
    await kit.done(new)


@settle.case
async def writes_one_outcome_under_a_token(kit: Kit) -> None:
    """A second outcome under the same token, of whatever kind, changes nothing."""
    for first in (Completes('"first"'), *OUTCOMES.values()):
        chain = await kit.start()
        job = await kit.lease()
        await kit.done(job, first)
        written = await kit.records(chain)
        for second in OUTCOMES.values():
            await kit.settle(job, second)
            equal(await kit.records(chain), written, f"the chain after {first}, then {second}")
        await kit.delete(chain)


@settle.case
async def repeats_the_dependents_it_unblocked(kit: Kit) -> None:
    """A repeat returns the transitions of the chains that the first call unblocked or failed, too."""
    for outcome, verb in ((Completes("1"), Verb.UNBLOCK), (Fails(FAILURE), Verb.FAIL_BY_BLOCKER)):
        blocker = await kit.start()
        await kit.start("other", blockers=(blocker,))
        job = await kit.lease()
        first = await kit.settle(job, outcome)
        second = await kit.settle(job, outcome)
        equal(chains(second.transitions, verb), chains(first.transitions, verb), f"the chains that {verb}")


@settle.case
async def repeats_a_part_of_a_batch(kit: Kit) -> None:
    """A batch may hold repeats and new outcomes; all are DONE."""
    await kit.create(kit.job(), kit.job())
    first, second = await kit.claim(limit=2)
    await kit.done(first)
    settled = await kit.settle_all(*(Settlement(job, Completes("1"), "worker") for job in (first, second)))
    equal(settled.results, (SettleResult.DONE, SettleResult.DONE), "the verdicts")
    equal(sorted(chains(settled.transitions, Verb.COMPLETE)), ids([first, second]), "the chains completed")


# Keeping the successor


@settle.case
async def grants_a_claimed_successor(kit: Kit) -> None:
    """A successor that is due at once is handed over under the given token, if nothing of its type waits."""
    chain = await kit.start()
    job = await kit.lease()
    keep = ClaimSuccessor(token=kit.token(), lease=20, timeout=50)
    settled = await kit.settle(job, Continues(NEXT, keep), worker="w1")
    equal(
        moves(settled.transitions),
        [
            (Verb.CONTINUE, Status.RUNNING, Status.CONTINUED),
            (Verb.CREATE, None, Status.READY),
            (Verb.CLAIM, Status.READY, Status.RUNNING),
        ],
        "the transitions",
    )
    equal(list(settled.claimed_successors), [chain], "the chains kept")
    kept = settled.claimed_successors[chain]
    equal((kept.lease.position, kept.lease.token, kept.attempt), (1, keep.token, 1), "the lease kept")
    equal((kept.type, _compact(kept.input), kept.leased_until), ("next", NEXT.input, kit.after(20)), "the job kept")
    true(not await kit.claim("next"), "a kept successor was claimed")
    await kit.done(kept, Completes('"end"'))


@settle.case
async def ends_a_granted_lease_at_its_deadline(kit: Kit) -> None:
    """A claimed successor has a deadline of its own, which no renewal passes."""
    chain = await kit.start()
    settled = await kit.settle(
        await kit.lease(), Continues(NEXT, ClaimSuccessor(token=kit.token(), lease=20, timeout=50))
    )
    deadline = kit.after(50)
    kit.wait(40)
    equal(list(await kit.renew(settled.claimed_successors[chain].lease)), [SettleResult.DONE], "the result on renewing")
    equal((await kit.tail(chain)).leased_until, deadline, "the end of the lease")


@settle.case
async def refuses_to_keep_before_others(kit: Kit) -> None:
    """A successor is not granted past a job of its type that was ready before it."""
    earlier = await kit.start("next")
    kit.wait(1)
    chain = await kit.start()
    settled = await kit.settle(await kit.lease(), Continues(NEXT, ClaimSuccessor(token=kit.token(), lease=30)))
    equal(
        (settled.results, len(settled.claimed_successors)),
        ((SettleResult.DONE,), 0),
        "the result, and how many were kept",
    )
    equal(moves(settled.transitions)[1:], [(Verb.CREATE, None, Status.READY)], "what became of the successor")
    equal(ids(await kit.claim("next", 2)), [earlier, chain], "the order of the next claim")


@settle.case
async def keeps_before_a_job_that_expired(kit: Kit) -> None:
    """A successor is granted past an expired job of its type, which no claim may take."""
    await kit.start("next", expires=1)
    kit.wait(2)
    chain = await kit.start()
    settled = await kit.settle(await kit.lease(), Continues(NEXT, ClaimSuccessor(token=kit.token(), lease=30)))
    equal(list(settled.claimed_successors), [chain], "the chains whose successors were granted")


@settle.case
async def refuses_to_keep_what_is_not_due(kit: Kit) -> None:
    """A delayed successor is not granted."""
    await kit.start()
    later = Successor(type="next", input="1", delay=60)
    settled = await kit.settle(await kit.lease(), Continues(later, ClaimSuccessor(token=kit.token(), lease=30)))
    equal(
        (settled.results, len(settled.claimed_successors)),
        ((SettleResult.DONE,), 0),
        "the result, and how many were kept",
    )
    equal(moves(settled.transitions)[1:], [(Verb.CREATE, None, Status.SCHEDULED)], "the successor's transition")


@settle.case
async def repeats_a_claimed_successor(kit: Kit) -> None:
    """Repeated after a lost reply, a settlement grants the successor again."""
    chain = await kit.start()
    job = await kit.lease()
    outcome = Continues(NEXT, ClaimSuccessor(token=kit.token(), lease=30))
    first = await kit.settle(job, outcome)
    second = await kit.settle(job, outcome)
    equal(second.results, (SettleResult.DONE,), "the result on the repeat")
    equal(list(second.claimed_successors), [chain], "the chains kept")
    equal(second.claimed_successors[chain].lease, first.claimed_successors[chain].lease, "the lease kept")
    equal(list(second.transitions), list(first.transitions), "the transitions of the repeat")


# Others at the same row


@settle.case
async def never_loses_what_is_busy(kit: Kit) -> None:
    """A job that an open transaction has locked is BUSY, or waits for its end; it is never called lost."""
    chain = await kit.start()
    job = await kit.lease()
    async with kit.adapter.begin() as tx:
        await kit.create(kit.job("other", blockers=(chain,)), tx=tx)
        settling = await before_the_end(kit.settle(job, Completes("1")), patience=patience_of(kit))
        if kit.adapter.name == "postgresql":
            true(settling.done(), "settling waited for a transaction that holds the job")
    settled = await settling
    if settled.results == (SettleResult.BUSY,):
        equal(settled.transitions, (), "the transitions of what was BUSY")
        settled = await kit.settle(job, Completes("1"))
    equal(settled.results, (SettleResult.DONE,), "the result in the end")
    equal(len(chains(settled.transitions, Verb.UNBLOCK)), 1, "chains unblocked")


@settle.case
async def is_lost_to_a_transaction_that_closed_the_job(kit: Kit) -> None:
    """A job that an open transaction closes is lost once that commits, and not settled before."""
    chain = await kit.start()
    job = await kit.lease()
    async with kit.adapter.begin() as tx:
        await kit.complete_externally(chain, Completes('"outside"'), tx=tx)
        settling = await before_the_end(kit.settle(job, Completes('"inside"')))
    verdicts = (await settling).results
    true(verdicts in ((SettleResult.BUSY,), (SettleResult.LOST,)), f"the result beside the transaction is {verdicts}")
    equal((await kit.settle(job, Completes("1"))).results, (SettleResult.LOST,), "the result after its end")
    equal((await kit.outcome(chain)).output, '"outside"', "the output")
