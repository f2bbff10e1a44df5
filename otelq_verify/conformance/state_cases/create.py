"""Starting chains."""

from __future__ import annotations

from datetime import timedelta

from otelq.model import Completes, Created, Status, Verb

from ..cases import Theme
from ..kit import Kit, chains, equal, moves, true

create = Theme[Kit]("create")
DAY = 86400.0


@create.case
async def returns_what_it_created(kit: Kit) -> None:
    """A start returns the chain and one ``create`` transition with all its fields."""
    job = kit.job(queue="mail", trace="00-trace", meta='{"tenant":"a"}')
    created, made = await kit.create(job)
    equal(list(created), [Created(chain_id=job.chain_id)], "what create says")
    equal(moves(made), [(Verb.CREATE, None, Status.READY)], "the transitions")
    move = made[0]
    equal((move.chain_id, move.position, move.attempt), (job.chain_id, 0, 0), "chain, position and attempt")
    equal((move.type, move.chain_type, move.queue), ("work", "work", "mail"), "type, chain type and queue")
    equal((move.at, move.created_at, move.chain_created_at), (kit.now, kit.now, kit.now), "the times")
    equal((move.trace, move.due_at, move.error_type), ("00-trace", None, None), "trace, due time and error")


@create.case
async def keeps_every_field(kit: Kit) -> None:
    """The fields of a start are in the claim and in the record."""
    chain = await kit.start("work", '{"n":1}', queue="mail", priority=7, trace="00-trace", meta='{"tenant":"a"}')
    record = await kit.tail(chain)
    equal((record.type, record.queue, record.priority), ("work", "mail", 7), "type, queue and priority stored")
    equal(record.created_at, kit.now, "the stored time of creation")
    claimed = await kit.lease()
    equal((claimed.type, claimed.chain_type, claimed.queue), ("work", "work", "mail"), "types and queue claimed")
    equal((claimed.priority, claimed.trace, claimed.last_trace), (7, "00-trace", None), "priority and traces claimed")
    equal((claimed.created_at, claimed.chain_created_at), (kit.now, kit.now), "times of creation claimed")


@create.case
async def keeps_the_order(kit: Kit) -> None:
    """Answers and transitions are in the order of the batch."""
    jobs = [kit.job(f"type{number % 3}") for number in range(7)]
    jobs.reverse()
    created, made = await kit.create(*jobs)
    equal([one.chain_id for one in created], [job.chain_id for job in jobs], "the order of the answers")
    equal(chains(made, Verb.CREATE), [job.chain_id for job in jobs], "the order of the transitions")


@create.case
async def takes_nothing(kit: Kit) -> None:
    """An empty batch is fine and does nothing."""
    created, made = await kit.create()
    equal((len(created), len(made)), (0, 0), "chains and transitions")


@create.case
async def delays(kit: Kit) -> None:
    """A delay counts from the database's now; the job is scheduled for that time."""
    _, made = await kit.create(kit.job(delay=3 * DAY))
    equal(moves(made), [(Verb.CREATE, None, Status.SCHEDULED)], "the transitions")
    equal(made[0].due_at, kit.now + timedelta(days=3), "when it becomes due")
    equal((await kit.tail(made[0].chain_id)).status, Status.SCHEDULED, "the status stored")


@create.case
async def plans_for_a_time(kit: Kit) -> None:
    """A chain started for an absolute time is scheduled for exactly that time."""
    _, made = await kit.create(kit.job(at=kit.after(90.5)))
    equal(moves(made), [(Verb.CREATE, None, Status.SCHEDULED)], "the transitions")
    equal(made[0].due_at, kit.after(90.5), "when it becomes due")


@create.case
async def takes_a_time_in_the_past_for_now(kit: Kit) -> None:
    """A time in the past means now: the job is ready, and due since the start, not since then."""
    _, made = await kit.create(kit.job(at=kit.after(-DAY)))
    equal(moves(made), [(Verb.CREATE, None, Status.READY)], "the transitions")
    equal((await kit.lease()).due_at, kit.now, "since when it is due")


@create.case
async def refuses_a_taken_id_alone(kit: Kit) -> None:
    """A request whose id is taken gives ``exists``; its neighbours are created all the same."""
    taken = await kit.start(input='"first"')
    before, after = kit.job(), kit.job()
    created, made = await kit.create(before, kit.job(input='"second"', chain_id=taken), after)
    equal([one.exists for one in created], [False, True, False], "which of the three exist already")
    equal(chains(made, Verb.CREATE), [before.chain_id, after.chain_id], "the chains created")
    equal((await kit.tail(taken)).input, '"first"', "the input of the chain that was there")


@create.case
async def refuses_an_id_given_twice(kit: Kit) -> None:
    """Of two requests with one id in a batch the first is created and the second exists."""
    job = kit.job()
    created, made = await kit.create(job, job)
    equal([one.exists for one in created], [False, True], "which of the two exist already")
    equal(len(made), 1, "the number of transitions")


@create.case
async def knows_a_call_sent_again(kit: Kit) -> None:
    """Sent ``again``, the same call gives the same chains and transitions, and writes nothing."""
    jobs = [kit.job(), kit.job(delay=60), kit.job("other", priority=3)]
    _, first = await kit.create(*jobs)
    kit.wait(5)
    created, second = await kit.create(*jobs, again=True)
    equal([one.exists for one in created], [False] * 3, "whether the chains count as existing")
    equal(list(second), list(first), "the transitions of the repeat")
    equal(len(await kit.claim(limit=9)), 1, "ready jobs of the type after the repeat")


@create.case
async def completes_a_call_sent_again(kit: Kit) -> None:
    """Sent ``again``, a call whose first sending never arrived is carried out."""
    job = kit.job()
    created, made = await kit.create(job, again=True)
    equal(list(created), [Created(chain_id=job.chain_id)], "what create says")
    equal(moves(made), [(Verb.CREATE, None, Status.READY)], "the transitions")


@create.case
async def finds_another_chain_under_an_id_sent_again(kit: Kit) -> None:
    """Sent ``again``, an id that another input or type holds gives ``exists`` and no transition."""
    taken = await kit.start(input='"first"')
    for job in (kit.job(input='"second"', chain_id=taken), kit.job("other", '"first"', chain_id=taken)):
        created, made = await kit.create(job, again=True)
        equal((created[0].exists, len(made)), (True, 0), f"whether it exists, and transitions, for {job.type}")


@create.case
async def knows_a_call_sent_again_after_its_job_moved_on(kit: Kit) -> None:
    """Sent ``again``, a start is known also when its chain has closed meanwhile."""
    job = kit.job()
    await kit.create(job)
    await kit.close(outcome=Completes("2"))
    created, made = await kit.create(job, again=True)
    equal(list(created), [Created(chain_id=job.chain_id)], "what create says")
    equal(chains(made, Verb.CREATE), [job.chain_id], "the chains it reports as created")
    true(not await kit.claim(), "a chain that had closed was started once more")
