"""Jobs that were not started in time."""

from __future__ import annotations

from otelq.model import Continues, JobQuery, OnFailure, Releases, Retries, Snoozes, Status, Successor, Verb

from ..cases import Theme
from ..kit import FAILURE, Kit, before_the_end, chains, equal, ids, moves, patience_of, true

expire = Theme[Kit]("expire")


@expire.case
async def cancels_what_was_not_started_in_time(kit: Kit) -> None:
    """A job that was never claimed is closed as cancelled when its time has passed, and not before."""
    chain = await kit.start(expires=60)
    equal((await kit.tail(chain)).expires_at, kit.after(60), "when it expires")
    kit.wait(59.999)
    equal(list(await kit.expire()), [], "the transitions before its time")
    kit.wait(0.001)
    (made,) = await kit.expire()
    equal(moves([made]), [(Verb.EXPIRE, Status.READY, Status.CANCELLED)], "the transitions")
    equal((made.chain_id, made.at, made.attempt), (chain, kit.now, 0), "chain, time and attempt")
    equal(await kit.status(chain), Status.CANCELLED, "the status")
    equal(list(await kit.expire()), [], "the transitions of expiring once more")
    equal(list(await kit.adapter.attempts(chain, 0)), [], "the attempts")


@expire.case
async def is_not_claimed_after_its_time(kit: Kit) -> None:
    """A job that has expired is neither claimed nor foreseen; those behind it are."""
    await kit.start(expires=60)
    kit.wait(60)
    true(not await kit.claim(), "an expired job was claimed")
    equal(await kit.next_due(), None, "the seconds until a job is due")
    other = await kit.start(priority=9)
    equal(ids(await kit.claim(limit=2)), [other], "the jobs claimed")


@expire.case
async def is_claimed_before_its_time(kit: Kit) -> None:
    """A job is claimed until its time has come, and runs on after it."""
    chain = await kit.start(expires=60)
    kit.wait(59)
    job = await kit.lease()
    kit.wait(5)
    equal(list(await kit.expire()), [], "the transitions")
    await kit.done(job)
    equal(await kit.status(chain), Status.COMPLETED, "the status")


@expire.case
async def cancels_blocked_and_scheduled_jobs(kit: Kit) -> None:
    """A job that still waits for its blockers, or its time, expires too."""
    blocker = await kit.start("blocker")
    blocked = await kit.start(blockers=(blocker,), expires=60)
    scheduled = await kit.start(delay=600, expires=61)
    kit.wait(61)
    made = await kit.expire()
    equal(
        [(move.chain_id, move.source) for move in made],
        [
            (blocked, Status.BLOCKED),
            (scheduled, Status.SCHEDULED),
        ],
        "the jobs that expired",
    )
    equal(len(await kit.close("blocker")), 1, "transitions when the blocker closes")


@expire.case
async def leaves_what_was_tried(kit: Kit) -> None:
    """A job whose attempt failed or crashed has been started: it waits for its next attempt."""
    for outcome in (Retries(600, FAILURE), None):
        await kit.start(expires=60)
        job = await kit.lease(lease=5)
        if outcome:
            await kit.done(job, outcome)
        kit.wait(6)
        await kit.reap(delay=600)
    kit.wait(60)
    equal(list(await kit.expire()), [], "the transitions")
    kit.wait(600)
    equal([job.attempt for job in [await kit.lease(), await kit.lease()]], [2, 2], "the attempts claimed")


@expire.case
async def takes_what_was_given_back(kit: Kit) -> None:
    """A job whose every claim was given back was not started: it expires."""
    for outcome in (Releases(), Snoozes(5)):
        chain = await kit.start(expires=60)
        await kit.close(outcome=outcome)
        kit.wait(60)
        true(not await kit.claim(), "an expired job was claimed")
        equal(chains(await kit.expire(), Verb.EXPIRE), [chain], "the chains that expired")


@expire.case
async def fails_its_dependents(kit: Kit) -> None:
    """Dependents of a chain that expires fare as with a cancel, by their own rule."""
    blocker = await kit.start("blocker", expires=60)
    failing = await kit.start(blockers=(blocker,))
    ignoring = await kit.start(blockers=(blocker,), on_failure=OnFailure.IGNORE)
    kit.wait(60)
    made = await kit.expire()
    equal(chains(made, Verb.FAIL_BY_BLOCKER), [failing], "the chains failed")
    equal(chains(made, Verb.UNBLOCK), [ignoring], "the chains unblocked")


@expire.case
async def keeps_to_its_limit(kit: Kit) -> None:
    """A call closes as many as its limit; the next call closes the rest."""
    given = [await kit.start(expires=60) for _ in range(5)]
    kit.wait(60)
    found = [len(chains(await kit.expire(limit=2), Verb.EXPIRE)) for _ in range(4)]
    equal(found, [2, 2, 1, 0], "jobs that expired with each call")
    query = JobQuery(statuses=frozenset({Status.CANCELLED}))
    equal(len((await kit.adapter.jobs(query)).items), len(given), "cancelled jobs")


@expire.case
async def leaves_the_successor(kit: Kit) -> None:
    """The time counts for the first job: a chain that has continued does not expire."""
    await kit.start(expires=60)
    await kit.close(outcome=Continues(Successor(type="next", input="1")))
    kit.wait(60)
    equal(list(await kit.expire()), [], "the transitions")
    await kit.lease("next")


@expire.case
async def happens_to_a_chain_once(kit: Kit) -> None:
    """A chain that expired can be redriven; it does not expire again."""
    chain = await kit.start(expires=60)
    kit.wait(61)
    await kit.expire()
    equal(moves(await kit.redrive(chain)), [(Verb.REDRIVE, Status.CANCELLED, Status.READY)], "the transitions")
    equal(list(await kit.expire()), [], "the transitions of expiring once more")
    await kit.lease()


@expire.case
async def passes_over_what_others_hold(kit: Kit) -> None:
    """A job that an open transaction is closing does not expire; the others do, at the latest after it."""
    held, free = await kit.start(expires=60), await kit.start(expires=60)
    kit.wait(60)
    async with kit.adapter.begin() as tx:
        await kit.complete_externally(held, tx=tx)
        expiring = await before_the_end(kit.expire(), patience=patience_of(kit))
        if kit.adapter.name == "postgresql":
            true(expiring.done(), "expire waited for a transaction that holds one of the jobs")
    made = [*await expiring, *await kit.expire()]
    equal(chains(made, Verb.EXPIRE), [free], "the chains that expired")
