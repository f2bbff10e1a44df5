"""Changes to jobs that do not run."""

from __future__ import annotations

from otelq.errors import InvalidArgument, JobAlreadyClosed, JobTypeMismatch, NotFound, OtelqError
from otelq.model import Amendment, Continues, Retries, Status, Successor, Verb

from ..cases import Theme
from ..kit import FAILURE, Kit, abandoned, chains, equal, ids, moves, raises, true
from .complete_externally import MAKE_OPEN

amend = Theme[Kit]("amend")
WAITING = (Status.BLOCKED, Status.SCHEDULED, Status.READY)


def _stays(status: Status) -> None:
    async def check(kit: Kit) -> None:
        chain = await MAKE_OPEN[status](kit)
        before = await kit.tail(chain)
        (made,) = await kit.amend(chain, priority=before.priority + 2)
        equal(moves([made]), [(Verb.AMEND, status, status)], "the transitions")
        equal((made.chain_id, made.at, made.attempt), (chain, kit.now, 0), "chain, time and attempt")
        equal(made.due_at, before.run_at if status is Status.SCHEDULED else None, "when it becomes due")
        after = await kit.tail(chain)
        equal((after.priority, after.run_at, after.input), (2, before.run_at, "1"), "priority, time and input")
        equal(after.amended_input, None, "the amended input")

    amend.add(f"keeps_a_{status}_job_{status}", f"A {status} job whose priority is changed stays {status}.", check)


for _status in WAITING:
    _stays(_status)


@amend.case
async def changes_the_order(kit: Kit) -> None:
    """The new priority counts for the next claim, up or down."""
    first, second, third = [await kit.start() for _ in range(3)]
    await kit.amend(third, priority=-1)
    await kit.amend(first, priority=1)
    equal([ids(await kit.claim())[0] for _ in range(3)], [third, second, first], "the order of the claims")


@amend.case
async def plans_a_ready_job(kit: Kit) -> None:
    """A ready job that is given a delay is scheduled, and due after it."""
    chain = await kit.start()
    kit.wait(5)
    (made,) = await kit.amend(chain, delay=60)
    equal(moves([made]), [(Verb.AMEND, Status.READY, Status.SCHEDULED)], "the transitions")
    equal(made.due_at, kit.after(60), "when it becomes due")
    true(not await kit.claim(), "a job was claimed before its time")
    equal(await kit.next_due(), 60.0, "the seconds until it is due")
    kit.wait(60)
    equal((await kit.lease()).due_at, kit.now, "since when it is due")


@amend.case
async def brings_a_planned_job_forward(kit: Kit) -> None:
    """A scheduled job can be given another time, earlier or later, and one in the past makes it due now."""
    chain = await kit.start(delay=600)
    due = kit.after(300)
    equal(moves(await kit.amend(chain, at=due)), [(Verb.AMEND, Status.SCHEDULED, Status.SCHEDULED)], "the transitions")
    equal((await kit.tail(chain)).run_at, due, "the new time")
    made = await kit.amend(chain, at=kit.after(-5))
    equal(moves(made), [(Verb.AMEND, Status.SCHEDULED, Status.READY)], "the transitions")
    equal((await kit.lease()).due_at, kit.now, "since when it is due")


@amend.case
async def plans_a_blocked_job(kit: Kit) -> None:
    """A blocked job that is given a time stays blocked, and is scheduled for it once it is unblocked."""
    blocker = await kit.start("blocker")
    chain = await kit.start(blockers=(blocker,))
    due = kit.after(600)
    equal(moves(await kit.amend(chain, at=due)), [(Verb.AMEND, Status.BLOCKED, Status.BLOCKED)], "the transitions")
    made = await kit.close("blocker")
    equal((made[1].target, made[1].due_at), (Status.SCHEDULED, due), "what the blocker unblocked")


@amend.case
async def takes_the_place_of_the_input(kit: Kit) -> None:
    """The amended input is the one claimed, in every attempt; the first one stays on record."""
    chain = await kit.start(input='"old"')
    await kit.amend(chain, input='"new"')
    record = await kit.tail(chain)
    equal((record.input, record.amended_input), ('"old"', '"new"'), "the inputs on record")
    equal((await kit.lease()).input, '"new"', "the input claimed")
    kit.wait(60)
    await kit.reap()
    await kit.amend(chain, input="null")
    equal((await kit.lease()).input, "null", "the input of the next attempt")
    await kit.complete_externally(chain)
    record = await kit.tail(chain)
    equal((record.input, record.amended_input), ('"old"', "null"), "the inputs on record at the end")


@amend.case
async def leaves_what_is_not_named(kit: Kit) -> None:
    """Of several fields each is changed alone, and an earlier change stays."""
    chain = await kit.start(priority=5, delay=600)
    due = kit.after(600)
    await kit.amend(chain, priority=3)
    await kit.amend(chain, input='"new"')
    record = await kit.tail(chain)
    equal((record.priority, record.run_at, record.amended_input), (3, due, '"new"'), "priority, time and input")
    await kit.amend(chain, delay=0)
    record = await kit.tail(chain)
    equal((record.priority, record.run_at, record.amended_input), (3, kit.now, '"new"'), "priority, time and input")


@amend.case
async def changes_the_tail(kit: Kit) -> None:
    """Of a chain that continued the open job is changed, and the others are not."""
    chain = await kit.start()
    await kit.close(outcome=Continues(Successor(type="next", input='"two"')))
    (made,) = await kit.amend(chain, input='"new"', step="next")
    equal((made.position, made.type, made.chain_type), (1, "next", "work"), "the job changed")
    equal([record.amended_input for record in await kit.records(chain)], [None, '"new"'], "the amended inputs")


@amend.case
async def keeps_attempts_counted(kit: Kit) -> None:
    """A job that waits for its next attempt keeps its attempts."""
    chain = await kit.start()
    await kit.close(outcome=Retries(600, FAILURE))
    await kit.amend(chain, delay=0)
    equal((await kit.lease()).attempt, 2, "the attempt")


async def _refused(kit: Kit, error: type[OtelqError], chain: str, step: str | None = None) -> None:
    good = await kit.start("good")
    with raises(error, "an amendment"):
        await kit.amend_all(Amendment(chain_id=good, input='"new"'), Amendment(chain_id=chain, priority=1, step=step))
    equal((await kit.tail(good)).amended_input, None, "the amended input of the good chain")


@amend.case
async def refuses_a_running_job(kit: Kit) -> None:
    """A running job is an InvalidArgument; nothing is written."""
    await _refused(kit, InvalidArgument, await MAKE_OPEN[Status.RUNNING](kit))


@amend.case
async def refuses_closed_and_missing_chains(kit: Kit) -> None:
    """A closed chain is JobAlreadyClosed, a missing one NotFound; nothing is written."""
    chain = await kit.start()
    await kit.cancel(chain)
    await _refused(kit, JobAlreadyClosed, chain)
    await _refused(kit, NotFound, kit.id())


@amend.case
async def refuses_another_step(kit: Kit) -> None:
    """A step that is closed is JobAlreadyClosed, one that the chain does not have JobTypeMismatch."""
    chain = await kit.start()
    await kit.close(outcome=Continues(Successor(type="next", input="1")))
    await _refused(kit, JobAlreadyClosed, chain, "work")
    await _refused(kit, JobTypeMismatch, chain, "other")


@amend.case
async def refuses_an_input_that_cannot_be_stored(kit: Kit) -> None:
    """An input that is no JSON, or that the store refuses, is an error of otelq; nothing is written."""
    await _refused_input(kit, "{not json")
    await _refused_input(kit, '"\ud800"')


async def _refused_input(kit: Kit, text: str) -> None:
    chain = await kit.start()
    try:
        await kit.amend(chain, input=text, priority=1)
    except OtelqError:
        equal((await kit.tail(chain)).priority, 0, "the priority after an amendment that was refused")
    else:
        equal((await kit.tail(chain)).amended_input, text, "the input that was not refused")


@amend.case
async def takes_many_and_none(kit: Kit) -> None:
    """A batch may hold many amendments, several of one chain too, in the order given; or none."""
    first, second = await kit.start(), await kit.start()
    made = await kit.amend_all(
        Amendment(chain_id=first, delay=60),
        Amendment(chain_id=second, priority=1),
        Amendment(chain_id=first, delay=0),
    )
    equal(chains(made, Verb.AMEND), [first, second, first], "the chains changed")
    equal([move.target for move in made], [Status.SCHEDULED, Status.READY, Status.READY], "the statuses")
    equal(list(await kit.amend_all()), [], "the transitions of an empty batch")


@amend.case
async def can_be_rolled_back(kit: Kit) -> None:
    """An amendment that is rolled back leaves the job as it was, and no answer of the port can tell the two apart."""
    chain = await kit.start()
    before = await kit.tail(chain)
    async with abandoned(kit) as tx:
        made = await kit.amend(chain, priority=7, delay=30 * 86400, input='"new"', tx=tx)
        equal(await kit.status(chain, tx=tx), Status.SCHEDULED, "the status inside")
    equal(await kit.tail(chain), before, "the job after the rollback")
    equal(list(await kit.adapter.were_committed(made)), [None], "if the transition was committed")
