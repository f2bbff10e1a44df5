"""Dedup keys that last, age, or pass over certain chains."""

from __future__ import annotations

import asyncio

from otelq.model import Created, Dedup, Verb

from ..cases import Theme
from ..kit import Kit, abandoned, chains, equal

scopes = Theme[Kit]("scopes")
LASTING = Dedup("customer-7", scope="any")
OPEN = Dedup("customer-7")


async def _given(kit: Kit, dedup: Dedup) -> str:
    """Return the chain that a start with these options leads to."""
    created, _ = await kit.create(kit.job(dedup=dedup))
    return created[0].chain_id


async def _taken(kit: Kit, dedup: Dedup) -> str:
    """Start a new chain with these options, and return it."""
    return await kit.start(dedup=dedup)


@scopes.case
async def any_keeps_the_key_of_a_completed_chain(kit: Kit) -> None:
    """A chain started with the scope ``any`` is found by its key after it completed."""
    holder = await _taken(kit, LASTING)
    await kit.close()
    created, made = await kit.create(kit.job(dedup=LASTING))
    equal(list(created), [Created(chain_id=holder, deduplicated=True)], "what create says")
    equal(list(made), [], "the transitions")


@scopes.case
async def any_keeps_the_key_of_a_cancelled_chain(kit: Kit) -> None:
    """A chain started with the scope ``any`` is found by its key after it was cancelled."""
    holder = await _taken(kit, LASTING)
    await kit.cancel(holder)
    equal(await _given(kit, LASTING), holder, "the holder")


@scopes.case
async def any_loses_the_key_when_deleted(kit: Kit) -> None:
    """A deleted chain gives its key back, whatever its scope."""
    holder = await _taken(kit, LASTING)
    await kit.cancel(holder)
    await kit.delete(holder)
    await _taken(kit, LASTING)


@scopes.case
async def any_finds_an_open_chain_of_the_other_scope(kit: Kit) -> None:
    """A start with ``any`` is given an open holder with ``open``, which gives the key back all the same."""
    holder = await _taken(kit, OPEN)
    equal(await _given(kit, LASTING), holder, "the holder while it is open")
    await kit.complete_externally(holder)
    await _taken(kit, LASTING)


@scopes.case
async def open_takes_the_key_of_a_closed_chain(kit: Kit) -> None:
    """A start with ``open`` takes the key that a closed chain kept."""
    closed = await _taken(kit, LASTING)
    await kit.complete_externally(closed)
    holder = await _taken(kit, OPEN)
    equal(await _given(kit, LASTING), holder, "the holder afterwards")


@scopes.case
async def open_is_given_an_open_chain_that_lasts(kit: Kit) -> None:
    """A start with ``open`` is given the chain that holds the key with ``any``, while it is open."""
    holder = await _taken(kit, LASTING)
    equal(await _given(kit, OPEN), holder, "the holder")


@scopes.case
async def a_window_ends_after_its_seconds(kit: Kit) -> None:
    """A holder created more than ``window`` seconds ago loses its key; one created so long ago does not."""
    window = Dedup("customer-7", scope="any", window=60)
    holder = await _taken(kit, window)
    await kit.complete_externally(holder)
    kit.wait(60)
    equal(await _given(kit, window), holder, "the holder at the end of the window")
    kit.wait(0.001)
    await _taken(kit, window)


@scopes.case
async def a_window_passes_over_open_chains_too(kit: Kit) -> None:
    """A holder older than the window loses its key though it is open, and stays open."""
    old = await _taken(kit, OPEN)
    kit.wait(61)
    await _taken(kit, Dedup("customer-7", window=60))
    equal(len(await kit.claim(limit=9)), 2, "ready jobs")
    equal(await kit.exists(old), True, "whether the old chain exists")


@scopes.case
async def a_window_counts_from_the_latest_holder(kit: Kit) -> None:
    """After a chain lost the key, the window counts from its new holder's creation."""
    window = Dedup("customer-7", window=60)
    await _taken(kit, window)
    kit.wait(61)
    holder = await _taken(kit, window)
    kit.wait(59)
    equal(await _given(kit, window), holder, "the holder within its own window")


@scopes.case
async def excluded_chains_do_not_count(kit: Kit) -> None:
    """A chain can start its own next one: a holder that is excluded loses the key."""
    first = await _taken(kit, LASTING)
    second = await _taken(kit, Dedup("customer-7", exclude=(kit.id(), first)))
    equal(await _given(kit, OPEN), second, "the holder afterwards")


@scopes.case
async def exclusion_of_others_changes_nothing(kit: Kit) -> None:
    """A holder that is not among the excluded chains is given."""
    holder = await _taken(kit, OPEN)
    equal(await _given(kit, Dedup("customer-7", exclude=(kit.id(),))), holder, "the holder")


@scopes.case
async def a_loser_frees_nothing(kit: Kit) -> None:
    """A chain that lost its key to another does not give that other's key back, closing or deleted."""
    loser = await _taken(kit, OPEN)
    holder = await _taken(kit, Dedup("customer-7", exclude=(loser,)))
    await kit.complete_externally(loser)
    equal(await _given(kit, OPEN), holder, "the holder after the loser closed")
    await kit.delete(loser)
    equal(await _given(kit, OPEN), holder, "the holder after the loser was deleted")


@scopes.case
async def a_loser_does_not_come_back(kit: Kit) -> None:
    """When the chain that took a key closes, the key is free, though the one that lost it is still open."""
    loser = await _taken(kit, OPEN)
    holder = await _taken(kit, Dedup("customer-7", exclude=(loser,)))
    await kit.complete_externally(holder)
    await _taken(kit, OPEN)


@scopes.case
async def the_first_of_a_batch_counts_for_all(kit: Kit) -> None:
    """Of starts with one key in a batch the first decides, whatever the later ones exclude or ask."""
    first = kit.job(dedup=OPEN)
    others = [kit.job(dedup=Dedup("customer-7", exclude=(first.chain_id,))), kit.job(dedup=LASTING)]
    created, made = await kit.create(first, *others)
    equal([one.chain_id for one in created], [first.chain_id] * 3, "the chains given")
    equal([one.deduplicated for one in created], [False, True, True], "the starts that got the chain of another")
    equal(chains(made, Verb.CREATE), [first.chain_id], "the chains created")


@scopes.case
async def a_holder_found_by_the_first_of_a_batch_counts_for_all(kit: Kit) -> None:
    """Where the first start of a batch is given a chain, the later ones with its key are given it too."""
    holder = await _taken(kit, LASTING)
    created, made = await kit.create(kit.job(dedup=OPEN), kit.job(dedup=Dedup("customer-7", exclude=(holder,))))
    equal([one.chain_id for one in created], [holder] * 2, "the chains given")
    equal(list(made), [], "the transitions")


@scopes.case
async def a_taking_can_be_rolled_back(kit: Kit) -> None:
    """A key taken from another chain in a transaction that rolls back is that chain's again."""
    holder = await _taken(kit, OPEN)
    async with abandoned(kit) as tx:
        await kit.start(dedup=Dedup("customer-7", exclude=(holder,)), tx=tx)
    equal(await _given(kit, OPEN), holder, "the holder after the rollback")


@scopes.case
async def a_key_is_taken_once(kit: Kit) -> None:
    """Of many starts that take one chain's key at the same time one gets it, and all are given that one."""
    old = await _taken(kit, OPEN)
    dedup = Dedup("customer-7", exclude=(old,))
    answers = await asyncio.gather(*(kit.create(kit.job(dedup=dedup)) for _ in range(12)))
    given = {created[0].chain_id for created, _ in answers}
    equal(len(given - {old}), 1, "the chains given, without the excluded one")
    equal(old in given, False, "whether the excluded chain was given")
    equal(sum(len(made) for _, made in answers), 1, "the transitions of all together")


@scopes.case
async def the_rest_of_a_duplicate_is_ignored(kit: Kit) -> None:
    """A start that is given another chain needs no blockers of its own, and adds none to that chain."""
    holder = await _taken(kit, OPEN)
    created, _ = await kit.create(kit.job(dedup=OPEN, blockers=(kit.id(),)))
    equal(created[0].chain_id, holder, "the chain given")
    equal(await kit.blockers(holder), [], "the blockers of the holder")
    await kit.lease()


@scopes.case
async def keys_may_be_long_and_odd(kit: Kit) -> None:
    """Keys of 512 characters of any alphabet differ by their last."""
    for letter in ("x", "\U0001f600", "'"):
        first = Dedup(letter * 512, scope="any")
        holder = await _taken(kit, first)
        await _taken(kit, Dedup(letter * 511 + "y", scope="any"))
        equal(await _given(kit, first), holder, "the holder")
