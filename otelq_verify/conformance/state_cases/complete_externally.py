"""Closing jobs without a worker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from otelq.errors import JobAlreadyClosed, JobTypeMismatch, NotFound, OtelqError
from otelq.model import Completes, Continues, Fails, Status, Successor, Verb

from ..cases import Theme
from ..kit import FAILURE, Kit, chains, equal, ids, moves, raises, true

complete_externally = Theme[Kit]("complete_externally")
NEXT = Successor(type="next", input='"two"')


async def _blocked(kit: Kit) -> str:
    return await kit.start(blockers=(await kit.start("blocker"),))


async def _scheduled(kit: Kit) -> str:
    return await kit.start(delay=600)


async def _ready(kit: Kit) -> str:
    return await kit.start()


async def _running(kit: Kit) -> str:
    chain = await kit.start()
    await kit.lease()
    return chain


MAKE_OPEN: dict[Status, Callable[[Kit], Awaitable[str]]] = {
    Status.BLOCKED: _blocked,
    Status.SCHEDULED: _scheduled,
    Status.READY: _ready,
    Status.RUNNING: _running,
}
"""Functions that bring a chain of the type ``work`` into each open status."""


def _closes(status: Status) -> None:
    async def check(kit: Kit) -> None:
        chain = await MAKE_OPEN[status](kit)
        made = await kit.complete_externally(chain, Completes('"outside"'))
        equal(moves(made), [(Verb.COMPLETE_EXTERNALLY, status, Status.COMPLETED)], "the transitions")
        equal((made[0].at, made[0].chain_id, made[0].type), (kit.now, chain, "work"), "time, chain and type")
        outcome = await kit.outcome(chain)
        equal((outcome.status, outcome.output), (Status.COMPLETED, '"outside"'), "the outcome")
        true(not await kit.claim(), "a finished job was claimed")

    complete_externally.add(f"closes_a_{status}_job", f"A {status} job can be completed from outside.", check)


@complete_externally.case
async def names_the_worker(kit: Kit) -> None:
    """A running job that is closed from outside, for good or with a successor, names the worker that loses it."""
    for outcome in (Completes('"outside"'), Continues(NEXT)):
        chain = await kit.start()
        await kit.lease(worker="one")
        made = await kit.complete_externally(chain, outcome)
        equal(made[0].worker, "one", f"the worker that loses a job that is {made[0].target}")


def _continues(status: Status) -> None:
    async def check(kit: Kit) -> None:
        chain = await MAKE_OPEN[status](kit)
        made = await kit.complete_externally(chain, Continues(NEXT))
        expected = [(Verb.COMPLETE_EXTERNALLY, status, Status.CONTINUED), (Verb.CREATE, None, Status.READY)]
        equal(moves(made), expected, "the transitions")
        equal((made[1].position, made[1].type, made[1].chain_type), (1, "next", "work"), "the successor")
        job = await kit.lease("next")
        equal((job.lease.chain_id, job.input, job.attempt), (chain, '"two"', 1), "the successor claimed")

    complete_externally.add(f"continues_a_{status}_job", f"A {status} job can be continued from outside.", check)


for _status in MAKE_OPEN:
    _closes(_status)
    _continues(_status)


async def _refused(kit: Kit, error: type[OtelqError], chain: str, step: str) -> None:
    """Demand that completing from outside raises the error, and that a good closure beside it is not written."""
    good = await kit.start("good")
    with raises(error, f"finishing with the step {step!r}"):
        await kit.complete_all_externally((good, "good", Completes("1")), (chain, step, Completes("1")))
    equal(await kit.status(good), Status.READY, "the status of the good closure's chain")


@complete_externally.case
async def needs_a_chain(kit: Kit) -> None:
    """Finishing a chain that does not exist is NotFound; nothing is written."""
    await _refused(kit, NotFound, kit.id(), "work")


@complete_externally.case
async def needs_an_open_chain(kit: Kit) -> None:
    """Finishing a closed chain is JobAlreadyClosed, however it ended; nothing is written."""
    await kit.start()
    await kit.close(outcome=Completes('"worker"'))
    failed, cancelled = await kit.start(), await kit.start()
    await kit.done(await kit.lease(), Fails(FAILURE))
    await kit.cancel(cancelled)
    for chain in (failed, cancelled):
        await _refused(kit, JobAlreadyClosed, chain, "work")


@complete_externally.case
async def does_not_write_an_outcome_twice(kit: Kit) -> None:
    """A chain completed from outside keeps its first outcome."""
    chain = await kit.start()
    await kit.complete_externally(chain, Completes('"first"'))
    await _refused(kit, JobAlreadyClosed, chain, "work")
    equal((await kit.outcome(chain)).output, '"first"', "the output")


@complete_externally.case
async def knows_a_step_that_is_past(kit: Kit) -> None:
    """A step that is closed while a later one is open is JobAlreadyClosed; nothing is written."""
    chain = await kit.start()
    await kit.close(outcome=Continues(NEXT))
    await _refused(kit, JobAlreadyClosed, chain, "work")
    equal(await kit.status(chain), Status.READY, "the status of the later step")


@complete_externally.case
async def knows_a_step_that_is_another(kit: Kit) -> None:
    """A step that the open job is not, nor any before it, is JobTypeMismatch; nothing is written."""
    chain = await kit.start()
    await _refused(kit, JobTypeMismatch, chain, "next")
    equal(await kit.status(chain), Status.READY, "the chain's status")


@complete_externally.case
async def unblocks_dependents(kit: Kit) -> None:
    """Completing a blocker from outside unblocks its dependents in the same commit; continuing it does not."""
    blocker = await kit.start()
    dependent = await kit.start("other", blockers=(blocker,))
    made = await kit.complete_externally(blocker, Continues(NEXT))
    equal(chains(made, Verb.UNBLOCK), [], "the chains unblocked by a continuation")
    made = await kit.complete_externally(blocker, step="next")
    equal(chains(made, Verb.UNBLOCK), [dependent], "the chains unblocked by the end")


@complete_externally.case
async def takes_a_batch(kit: Kit) -> None:
    """A batch is finished whole, in the order given."""
    given = [await kit.start() for _ in range(3)]
    given.reverse()
    made = await kit.complete_all_externally(*((chain, "work", Completes(f'"{chain}"')) for chain in given))
    equal(chains(made, Verb.COMPLETE_EXTERNALLY), given, "the chains finished")
    for chain in given:
        equal((await kit.outcome(chain)).output, f'"{chain}"', "the output")


@complete_externally.case
async def plans_the_successor(kit: Kit) -> None:
    """A successor made from outside may be planned, and has the priority of its predecessor."""
    chain = await kit.start(priority=6)
    made = await kit.complete_externally(chain, Continues(Successor(type="next", input="1", delay=60)))
    equal(moves(made)[1:], [(Verb.CREATE, None, Status.SCHEDULED)], "the successor's transition")
    kit.wait(60)
    (job,) = await kit.claim("next")
    equal((ids([job]), job.priority), ([chain], 6), "chain and priority")
