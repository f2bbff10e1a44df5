"""Dedup keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from otelq.model import Completes, Continues, Created, Dedup, Fails, Retries, Successor, Verb

from ..cases import Theme
from ..kit import FAILURE, Kit, abandoned, chains, equal

dedup = Theme[Kit]("dedup")
KEY = Dedup("customer-7")


async def _holder(kit: Kit) -> str:
    """Return the chain that a start with the key leads to."""
    created, _ = await kit.create(kit.job(dedup=KEY))
    return created[0].chain_id


@dedup.case
async def gives_the_chain_that_holds_the_key(kit: Kit) -> None:
    """A start whose key is held returns the chain that holds it, and writes nothing."""
    holder = await kit.start(dedup=KEY)
    created, made = await kit.create(kit.job(input="2", dedup=KEY))
    equal(list(created), [Created(chain_id=holder, deduplicated=True)], "what create says")
    equal(list(made), [], "the transitions")
    equal(len(await kit.claim(limit=9)), 1, "ready jobs")


@dedup.case
async def holds_within_a_batch(kit: Kit) -> None:
    """Of two starts with one key in a batch the first is created and the second leads to it."""
    first, second, other = kit.job(dedup=KEY), kit.job(dedup=KEY), kit.job(dedup=Dedup("customer-8"))
    created, made = await kit.create(first, second, other)
    equal(created[1], Created(chain_id=first.chain_id, deduplicated=True), "the answer to the second start")
    equal(chains(made, Verb.CREATE), [first.chain_id, other.chain_id], "the chains created")


@dedup.case
async def holds_among_starts_at_the_same_time(kit: Kit) -> None:
    """Of many starts with one key at the same time one creates its chain, and all are given that."""
    answers = await asyncio.gather(*(kit.create(kit.job(dedup=KEY)) for _ in range(12)))
    created = [created[0] for created, _ in answers]
    equal(len({one.chain_id for one in created}), 1, "the chains given")
    equal(sum(one.deduplicated for one in created), 11, "the starts that got the chain of another")
    equal(sum(len(made) for _, made in answers), 1, "the transitions of all together")


@dedup.case
async def belongs_to_a_type(kit: Kit) -> None:
    """The same key of another job type is another key."""
    await kit.start(dedup=KEY)
    await kit.start("other", dedup=KEY)


@dedup.case
async def lasts_as_long_as_the_chain(kit: Kit) -> None:
    """A chain holds its key while it runs, is retried, and continues into other types."""
    holder = await kit.start(dedup=KEY)
    running = await kit.lease()
    equal(await _holder(kit), holder, "the holder while the job runs")
    await kit.done(running, Retries(0, FAILURE))
    equal(await _holder(kit), holder, "the holder after a retry")
    await kit.close(outcome=Continues(Successor(type="next", input="1")))
    equal(await _holder(kit), holder, "the holder after a continuation")
    await kit.close("next")
    await kit.start(dedup=KEY)


@dedup.case
async def knows_a_call_sent_again(kit: Kit) -> None:
    """Sent ``again``, a start that holds its own key is its own work, not a duplicate."""
    job = kit.job(dedup=KEY)
    _, first = await kit.create(job)
    created, second = await kit.create(job, again=True)
    equal(list(created), [Created(chain_id=job.chain_id)], "what create says")
    equal(list(second), list(first), "the transitions of the repeat")


@dedup.case
async def is_not_freed_by_an_older_holder(kit: Kit) -> None:
    """Deleting a closed chain that held the key once leaves the present holder its key."""
    old = await kit.start(dedup=KEY)
    await kit.complete_externally(old)
    holder = await kit.start(dedup=KEY)
    await kit.delete(old)
    equal(await _holder(kit), holder, "the holder after the older chain was deleted")


@dedup.case
async def is_not_taken_by_a_rollback(kit: Kit) -> None:
    """A key taken in a transaction that rolls back is free."""
    async with abandoned(kit) as tx:
        await kit.start(dedup=KEY, tx=tx)
    await kit.start(dedup=KEY)


async def _complete(kit: Kit, chain: str) -> None:
    await kit.close(outcome=Completes("1"))


async def _fail(kit: Kit, chain: str) -> None:
    await kit.close(outcome=Fails(FAILURE))


async def _finish(kit: Kit, chain: str) -> None:
    await kit.complete_externally(chain)


async def _cancel(kit: Kit, chain: str) -> None:
    await kit.cancel(chain)


async def _delete(kit: Kit, chain: str) -> None:
    await kit.delete(chain)


async def _reap(kit: Kit, chain: str) -> None:
    await kit.lease(lease=10)
    kit.wait(11)
    equal(len(await kit.reap(max_attempts=1)), 1, "jobs reaped")


def _freed_by(end: str, act: Callable[[Kit, str], Awaitable[None]]) -> None:
    async def check(kit: Kit) -> None:
        holder = await kit.start(dedup=KEY)
        await act(kit, holder)
        await kit.start(dedup=KEY)

    dedup.add(f"is_freed_by_{end}", f"The key is free again after the chain's end by {end}.", check)


_freed_by("completion", _complete)
_freed_by("failure", _fail)
_freed_by("finish", _finish)
_freed_by("cancel", _cancel)
_freed_by("delete", _delete)
_freed_by("reap", _reap)


@dedup.case
async def is_freed_by_a_failed_blocker(kit: Kit) -> None:
    """The key of a chain that fails because its blocker failed is free again."""
    blocker = await kit.start("blocker")
    await kit.start(dedup=KEY, blockers=(blocker,))
    await kit.close("blocker", Fails(FAILURE))
    await kit.start(dedup=KEY)
