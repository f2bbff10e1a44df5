"""Transactions, and how they end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from otelq.errors import InvalidArgument, NotFound
from otelq.model import (
    Completes,
    Continues,
    Fails,
    JobQuery,
    Settlement,
    SettleResult,
    Status,
    Successor,
    Transition,
    Verb,
)
from otelq.ports.state import Ending, Transaction

from ..cases import Theme
from ..kit import FAILURE, Abandoned, Kit, abandoned, chains, equal, moves, raises, true

transactions = Theme[Kit]("transactions")


def has_savepoints(handle: Any) -> bool:
    """Return True if ``savepoint`` knows this kind of handle."""
    return any(hasattr(handle, name) for name in ("begin_nested", "savepoint", "transaction", "execute"))


@asynccontextmanager
async def savepoint(handle: Any) -> AsyncGenerator[None]:
    """Take back what is written inside, if the block raises: by the means of the driver."""
    for name in ("begin_nested", "savepoint", "transaction"):
        if hasattr(handle, name):
            async with getattr(handle, name)():
                yield
            return
    await handle.execute("SAVEPOINT inner_part")
    try:
        yield
    except BaseException:
        await handle.execute("ROLLBACK TO inner_part")
        raise
    finally:
        await handle.execute("RELEASE inner_part")


Write = Callable[[Kit, Transaction], Awaitable[Sequence[Transition]]]


async def _create(kit: Kit, tx: Transaction) -> Sequence[Transition]:
    return (await kit.create(kit.job("made"), tx=tx))[1]


async def _finish(kit: Kit, tx: Transaction) -> Sequence[Transition]:
    return await kit.complete_externally(await _chain(kit, "ready"), step="ready", tx=tx)


async def _continue(kit: Kit, tx: Transaction) -> Sequence[Transition]:
    step = Continues(Successor(type="next", input="1"))
    return await kit.complete_externally(await _chain(kit, "ready"), step, step="ready", tx=tx)


async def _trigger(kit: Kit, tx: Transaction) -> Sequence[Transition]:
    return await kit.trigger(await _chain(kit, "planned"), tx=tx)


async def _cancel(kit: Kit, tx: Transaction) -> Sequence[Transition]:
    return await kit.cancel(await _chain(kit, "ready"), tx=tx)


async def _delete(kit: Kit, tx: Transaction) -> Sequence[Transition]:
    return await kit.delete(await _chain(kit, "ready"), tx=tx)


async def _take_over(kit: Kit, tx: Transaction) -> Sequence[Transition]:
    return await kit.take_over(await _chain(kit, "running"), tx=tx)


async def _redrive(kit: Kit, tx: Transaction) -> Sequence[Transition]:
    return await kit.redrive(await _chain(kit, "failed"), tx=tx)


async def _chain(kit: Kit, type: str) -> str:
    return (await kit.adapter.jobs(JobQuery(types=(type,)))).items[0].chain_id


WRITES: dict[str, Write] = {
    "create": _create,
    "finish": _finish,
    "continue": _continue,
    "trigger": _trigger,
    "cancel": _cancel,
    "take_over": _take_over,
    "redrive": _redrive,
    "delete": _delete,
}
"""Each verb that callers use in their own transactions, on a store as ``_prepare`` leaves it."""


async def _prepare(kit: Kit) -> Sequence[object]:
    types = ("ready", "running", "failed")
    await kit.create(kit.job("planned", delay=30 * 86400), *(kit.job(type) for type in types))
    await kit.lease("running")
    await kit.close("failed", Fails(FAILURE))
    kit.wait(1)
    return await _all(kit)


async def _all(kit: Kit) -> Sequence[object]:
    return (await kit.adapter.jobs(JobQuery(limit=100))).items


def _rolls_back(name: str, write: Write) -> None:
    async def check(kit: Kit) -> None:
        before = await _prepare(kit)
        async with abandoned(kit) as tx:
            made = await write(kit, tx)
            true(bool(made), "the verb made no transitions")
            equal(await _all(kit), before, "what others see while the transaction is open")
        equal(await _all(kit), before, "what is stored after the rollback")
        found = await kit.adapter.were_committed(made[:1])
        equal(list(found), [False], "whether the transition is present after the rollback")

    transactions.add(f"rolls_back_a_{name}", f"A {name} in a transaction that rolls back leaves nothing.", check)


def _commits(name: str, write: Write) -> None:
    async def check(kit: Kit) -> None:
        before = await _prepare(kit)
        async with kit.adapter.begin() as tx:
            made = await write(kit, tx)
            equal(await _all(kit), before, "what others see while the transaction is open")
            equal(list(await kit.adapter.were_committed(made[:1])), [False], "whether it is present before the commit")
        true(await _all(kit) != before, "nothing is stored after the commit")
        equal(
            list(await kit.adapter.were_committed(made)), [True] * len(made), "whether it is present after the commit"
        )

    transactions.add(f"commits_a_{name}", f"A {name} is seen, and present, once its transaction commits.", check)


for _name, _write in WRITES.items():
    _rolls_back(_name, _write)
    _commits(_name, _write)


@transactions.case
async def settles_with_what_the_handler_wrote(kit: Kit) -> None:
    """A settlement in a transaction is there if and only if that commits."""
    chain = await kit.start()
    dependent = await kit.start("other", blockers=(chain,))
    settlement = Settlement(await kit.lease(), Completes("1"), "worker")
    async with abandoned(kit) as tx:
        equal((await kit.settle_all(settlement, tx=tx)).results, (SettleResult.DONE,), "the result")
    equal(await kit.status(chain), Status.RUNNING, "the status after the rollback")
    async with kit.adapter.begin() as tx:
        made = (await kit.settle_all(settlement, tx=tx)).transitions
    equal(chains(made, Verb.UNBLOCK), [dependent], "the chains unblocked")
    equal(await kit.status(chain), Status.COMPLETED, "the status after the commit")
    equal(len(await kit.claim("other")), 1, "dependents ready")


@transactions.case
async def settles_nothing_that_is_lost(kit: Kit) -> None:
    """A lost lease is LOST in a transaction too, and the transaction goes on."""
    chain = await kit.start()
    settlement = Settlement(await kit.lease(), Completes("1"), "worker")
    await kit.complete_externally(chain, Completes('"outside"'))
    async with kit.adapter.begin() as tx:
        equal((await kit.settle_all(settlement, tx=tx)).results, (SettleResult.LOST,), "the result")
        started = await kit.start(tx=tx)
    true(await kit.exists(started), "what was started after a lost settlement is not there")


@transactions.case
async def sees_its_own_writes(kit: Kit) -> None:
    """Verbs and queries with ``tx`` see its writes; others do not."""
    async with kit.adapter.begin() as tx:
        blocker = await kit.start("blocker", tx=tx)
        chain = await kit.start(blockers=(blocker,), tx=tx)
        true(not await kit.exists(chain), "others see what is not committed")
        equal(await kit.status(chain, tx=tx), Status.BLOCKED, "the status inside")
        made = await kit.complete_externally(blocker, step="blocker", tx=tx)
        equal(chains(made, Verb.UNBLOCK), [chain], "the chains unblocked inside")
        jobs = (await kit.adapter.jobs(JobQuery(), tx=tx)).items
        equal([job.chain_id for job in jobs], [chain, blocker], "the jobs seen inside")
        found = (await kit.adapter.chains(JobQuery(), tx=tx)).items
        equal([one.chain_id for one in found], [chain, blocker], "the chains seen inside")
    await kit.lease()


@transactions.case
async def survives_a_refused_verb(kit: Kit) -> None:
    """A verb that is refused writes nothing, and the transaction can go on and commit."""
    good = await kit.start()
    async with kit.adapter.begin() as tx:
        with raises(NotFound, "cancelling a chain that does not exist"):
            await kit.cancel(good, kit.id(), tx=tx)
        other = await kit.start("other", tx=tx)
    equal(await kit.status(good), Status.READY, "the status of the good chain")
    equal(await kit.status(other), Status.READY, "the status of what was started after the refusal")


@transactions.case
async def takes_back_a_savepoint(kit: Kit) -> None:
    """Writes inside a rolled-back savepoint are undone; the rest commits."""
    async with kit.adapter.begin() as tx:
        if not has_savepoints(tx.handle):
            return
        before = await kit.start(tx=tx)
        inside = kit.id()
        with raises(Abandoned, "leaving the savepoint"):
            async with savepoint(tx.handle):
                await kit.start(chain_id=inside, tx=tx)
                await kit.cancel(before, tx=tx)
                raise Abandoned
        after = await kit.start(tx=tx)
    found = [await kit.exists(chain) for chain in (before, inside, after)]
    equal(found, [True, False, True], "whether the three chains exist")
    equal(await kit.status(before), Status.READY, "the status of the chain from before the savepoint")


def _watch(tx: Transaction) -> list[Ending] | None:
    """Return a list to which a watcher adds the endings; None where the driver reports none."""
    endings: list[Ending] = []
    return endings if tx.watch(endings.append) else None


@transactions.case
async def notifies_its_watchers_of_a_commit(kit: Kit) -> None:
    """A watcher is called once, after the commit."""
    async with kit.adapter.begin() as tx:
        await kit.start(tx=tx)
        endings, second = _watch(tx), _watch(tx)
        true(endings in ([], None), "a watcher was called before the end")
    true(endings in ([Ending.COMMITTED], None), f"a watcher got {endings}")
    true(second in ([Ending.COMMITTED], None), f"a second watcher got {second}")


@transactions.case
async def notifies_its_watchers_of_a_rollback(kit: Kit) -> None:
    """A watcher is called once, after the rollback."""
    async with abandoned(kit) as tx:
        await kit.start(tx=tx)
        endings = _watch(tx)
    true(endings in ([Ending.ROLLED_BACK], None), f"a watcher got {endings}")


@transactions.case
async def notifies_its_watchers_of_a_savepoint(kit: Kit) -> None:
    """A rolled-back savepoint is not reported as committed, nor the rest as rolled back."""
    async with kit.adapter.begin() as tx:
        if not has_savepoints(tx.handle):
            return
        await kit.start(tx=tx)
        outer, inner = _watch(tx), None
        with raises(Abandoned, "leaving the savepoint"):
            async with savepoint(tx.handle):
                await kit.start(tx=tx)
                inner = _watch(tx)
                raise Abandoned
    unknown = ([Ending.UNKNOWN], None)
    true(outer in ([Ending.COMMITTED], *unknown), f"the watcher outside the savepoint got {outer}")
    true(inner in ([Ending.ROLLED_BACK], *unknown), f"the watcher inside the savepoint got {inner}")


@transactions.case
async def is_joined_by_its_handle(kit: Kit) -> None:
    """The handle of an open transaction can be passed as ``tx``; writes through it commit with it."""
    async with kit.adapter.begin() as tx:
        true(tx.active, "an open transaction is not active")
        joined = kit.adapter.join(tx.handle)
        true(joined.active, "a joined transaction is not active")
        chain = await kit.start(tx=joined)
        endings = _watch(joined)
        true(not await kit.exists(chain), "a joined transaction was committed by a verb")
    true(await kit.exists(chain), "what was written in a joined transaction is not there")
    true(endings in ([Ending.COMMITTED], None), f"the watcher got {endings}")
    true(not tx.active, "a transaction is active after its end")


@transactions.case
async def is_joined_only_while_open(kit: Kit) -> None:
    """A value that is no transaction, or one that has ended, is refused with an error that names ``tx``."""
    async with kit.adapter.begin() as tx:
        handle = tx.handle
    for wrong in (object(), None, 7, handle):
        with raises(InvalidArgument, f"joining {type(wrong).__name__}"):
            kit.adapter.join(wrong)


@transactions.case
async def has_the_kinds_of_its_store(kit: Kit) -> None:
    """A kind of handle that the store does not have is refused."""
    with raises(InvalidArgument, "beginning with an unknown kind of handle"):
        async with kit.adapter.begin(complex):
            pass


@transactions.case
async def were_committed_answers_for_each(kit: Kit) -> None:
    """``were_committed`` answers for each transition, in order, if it was committed."""
    _, committed = await kit.create(kit.job())
    async with abandoned(kit) as tx:
        _, undone = await kit.create(kit.job(), tx=tx)
    found = await kit.adapter.were_committed([*undone, *committed, *undone])
    equal(list(found), [False, True, False], "whether the transitions are present")
    equal(list(await kit.adapter.were_committed([])), [], "the answer about no transitions")


@transactions.case
async def were_committed_knows_a_start_from_a_later_one_of_its_id(kit: Kit) -> None:
    """A start that was rolled back is not present because the caller tried again under its id."""
    job = kit.job()
    async with abandoned(kit) as tx:
        _, undone = await kit.create(job, tx=tx)
    kit.wait(1)
    _, made = await kit.create(job)
    found = await kit.adapter.were_committed([*undone, *made])
    equal(list(found), [False, True], "whether the transitions are present")


@transactions.case
async def were_committed_outlives_what_follows(kit: Kit) -> None:
    """A transition still counts as committed when its chain has moved on since."""
    _, created = await kit.create(kit.job(delay=30 * 86400))
    triggered = await kit.trigger(created[0].chain_id)
    await kit.close(outcome=Continues(Successor(type="next", input="1")))
    made = [*created, *triggered]
    await kit.cancel(created[0].chain_id)
    equal(list(await kit.adapter.were_committed(made)), [True, True], f"if {moves(made)} were committed")


@transactions.case
async def were_committed_outlives_a_redrive(kit: Kit) -> None:
    """The end of a chain counts as committed after its redrive, and the redrive after the chain has closed again."""
    chain = await kit.start()
    failed = await kit.close(outcome=Fails(FAILURE))
    kit.wait(1)
    redriven = await kit.redrive(chain)
    kit.wait(1)
    await kit.lease()
    taken = await kit.take_over(chain)
    kit.wait(1)
    made = [*failed, *redriven, *taken, *await kit.cancel(chain)]
    equal(list(await kit.adapter.were_committed(made)), [True] * 4, f"if {moves(made)} were committed")
    kit.wait(1)
    await kit.redrive(chain)
    equal(list(await kit.adapter.were_committed(made)), [True] * 4, f"if {moves(made)} were committed after one more")


@transactions.case
async def were_committed_knows_a_redrive_that_was_rolled_back(kit: Kit) -> None:
    """A redrive that was rolled back is not present, also where the cancel that it undid was rolled back with it."""
    new, redriven_before = await kit.start(), await kit.start()
    await kit.cancel(redriven_before)
    kit.wait(1)
    await kit.redrive(redriven_before)
    kit.wait(1)
    async with abandoned(kit) as tx:
        await kit.cancel(new, redriven_before, tx=tx)
        kit.wait(1)
        undone = await kit.redrive(new, redriven_before, tx=tx)
    found = await kit.adapter.were_committed(undone)
    equal(list(found), [False, False], "whether the redrives are present")


@transactions.case
async def a_sibling_shares_the_store(kit: Kit) -> None:
    """A sibling, where there is one, is another adapter for the same store."""
    chain = await kit.start()
    sibling = kit.adapter.sibling()
    if sibling is None:
        return
    true(sibling is not kit.adapter, "an adapter is its own sibling")
    await sibling.open(migrate=False)
    try:
        true(chain in await sibling.outcomes([chain]), "a sibling does not see what is stored")
    finally:
        await sibling.close()


@transactions.case
async def an_adapter_opens_again(kit: Kit) -> None:
    """Closing twice is fine, and a closed adapter can be opened again."""
    await kit.adapter.close()
    await kit.adapter.close()
    await kit.adapter.open()
    await kit.start()
    await kit.close()


@transactions.case
async def truncate_all_removes_everything(kit: Kit) -> None:
    """After ``truncate_all`` nothing is left, open or closed."""
    await _prepare(kit)
    await kit.close("ready")
    await kit.start("blocked", blockers=(await kit.start("running"),))
    await kit.lease("running")
    await kit.adapter.truncate_all()
    equal(await _all(kit), [], "the jobs left")
    equal(await kit.next_due("ready", "planned", "running"), None, "next_due")
    kit.wait(900)
    equal(list(await kit.reap("running")), [], "jobs reaped")
