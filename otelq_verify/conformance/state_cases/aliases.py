"""Types with several names: dedup keys and steps under each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from otelq.errors import AlreadyExists, JobAlreadyClosed, JobTypeMismatch
from otelq.model import (
    Amendment,
    Closure,
    Completes,
    Continues,
    Created,
    Dedup,
    Fails,
    NewJob,
    Status,
    Successor,
    Verb,
)

from ..cases import Theme
from ..kit import FAILURE, Kit, abandoned, chains, equal, raises

aliases = Theme[Kit]("aliases")
KEY = Dedup("customer-7")
LASTING = Dedup("customer-7", scope="any")


def _before(kit: Kit, dedup: Dedup = KEY, **fields: Any) -> NewJob:
    """Return a start by the application as it was before the rename."""
    return kit.job("old", dedup=dedup, **fields)


def _during(kit: Kit, dedup: Dedup = KEY, **fields: Any) -> NewJob:
    """Return a start by the application that knows both names."""
    return kit.job("work", dedup=dedup, aliases=("old",), **fields)


def _after(kit: Kit, dedup: Dedup = KEY, **fields: Any) -> NewJob:
    """Return a start by the application that has forgotten the old name."""
    return kit.job("work", dedup=dedup, **fields)


async def _new(kit: Kit, job: NewJob) -> str:
    """Start a chain that must be new, and return it."""
    created, _ = await kit.create(job)
    equal(created[0], Created(chain_id=job.chain_id), "what create says of a new chain")
    return job.chain_id


async def _given(kit: Kit, job: NewJob) -> str:
    """Return the chain that a start leads to."""
    created, _ = await kit.create(job)
    return created[0].chain_id


async def _free(kit: Kit) -> None:
    """Demand that the key is free under each name: these starts would be given a closed holder too."""
    await _new(kit, _before(kit, LASTING))
    await _new(kit, _after(kit, LASTING))


@aliases.case
async def find_a_holder_under_the_old_name(kit: Kit) -> None:
    """A start is given the chain that holds its key under an alias, and writes nothing."""
    holder = await _new(kit, _before(kit))
    created, made = await kit.create(_during(kit))
    equal(list(created), [Created(chain_id=holder, deduplicated=True)], "what create says")
    equal(list(made), [], "the transitions")


@aliases.case
async def are_names_of_the_holder(kit: Kit) -> None:
    """A chain holds its key under each name of its type."""
    holder = await _new(kit, _during(kit))
    equal([await _given(kit, start(kit)) for start in (_before, _during, _after)], [holder] * 3, "the holders")


@aliases.case
async def give_the_chain_under_the_present_name_first(kit: Kit) -> None:
    """Where two chains hold the key under two names of the type, a start is given that under the present name."""
    await _new(kit, _before(kit))
    holder = await _new(kit, _after(kit))
    equal(await _given(kit, _during(kit)), holder, "the holder")


@aliases.case
async def leave_nothing_behind_a_duplicate(kit: Kit) -> None:
    """A start that is given another chain holds its key under none of its names."""
    await _new(kit, _before(kit))
    await kit.create(_during(kit))
    await _new(kit, _after(kit))


@aliases.case
async def pass_over_holders_that_do_not_match(kit: Kit) -> None:
    """Holders that do not count lose the key under each name; one that counts is given, whatever its name."""
    old, new = await _new(kit, _before(kit)), await _new(kit, _after(kit))
    equal(await _given(kit, _during(kit, Dedup("customer-7", exclude=(new,)))), old, "the holder that counts")
    equal(await _given(kit, _after(kit)), new, "the holder under the present name")
    taker = await _new(kit, _during(kit, Dedup("customer-7", exclude=(new, old))))
    equal([await _given(kit, start(kit)) for start in (_before, _after)], [taker] * 2, "the holders afterwards")


@aliases.case
async def take_the_key_of_a_closed_chain(kit: Kit) -> None:
    """A start with the scope ``open`` takes the key that a closed chain kept under an alias."""
    closed = await _new(kit, _before(kit, LASTING))
    await kit.complete_externally(closed, step="old")
    holder = await _new(kit, _during(kit))
    equal(await _given(kit, _before(kit, LASTING)), holder, "the holder afterwards")


@aliases.case
async def share_the_key_within_a_batch(kit: Kit) -> None:
    """Of the starts of a batch that share a key under some name the first counts for all."""
    jobs = [
        _before(kit),
        _during(kit),
        _before(kit),
        _during(kit, Dedup("customer-8")),
        _after(kit, Dedup("customer-8")),
    ]
    created, made = await kit.create(*jobs)
    first, other = jobs[0].chain_id, jobs[3].chain_id
    equal([one.chain_id for one in created], [first, first, first, other, other], "the chains given")
    equal(chains(made, Verb.CREATE), [first, other], "the chains created")


@aliases.case
async def share_the_key_among_starts_at_the_same_time(kit: Kit) -> None:
    """Of starts by two versions of an application at the same time one creates its chain, and all are given that."""
    answers = await asyncio.gather(*(kit.create(start(kit)) for start in [_before, _during] * 6))
    equal(len({created[0].chain_id for created, _ in answers}), 1, "the chains given")
    equal(sum(len(made) for _, made in answers), 1, "the transitions of all together")


@aliases.case
async def hold_the_keys_of_many(kit: Kit) -> None:
    """A large batch holds each of its keys under all names."""
    jobs = [_during(kit, Dedup(f"customer-{n}")) for n in range(600)]
    created, _ = await kit.create(*jobs)
    equal(sum(one.is_new for one in created), 600, "the new chains")
    equal(await _given(kit, _before(kit, Dedup("customer-599"))), jobs[599].chain_id, "the holder of the last key")


@aliases.case
async def roll_back_with_their_transaction(kit: Kit) -> None:
    """Keys that are taken in a transaction that rolls back are free under each name."""
    async with abandoned(kit) as tx:
        await kit.create(_during(kit), tx=tx)
    await _new(kit, _before(kit))
    await _new(kit, _after(kit))


async def _complete(kit: Kit, chain: str) -> None:
    await kit.close()


async def _finish(kit: Kit, chain: str) -> None:
    await kit.complete_externally(chain)


async def _cancel(kit: Kit, chain: str) -> None:
    await kit.cancel(chain)


async def _delete(kit: Kit, chain: str) -> None:
    await kit.delete(chain)


async def _expire(kit: Kit, chain: str) -> None:
    kit.wait(101)
    equal(len(await kit.expire()), 1, "jobs expired")


async def _reap(kit: Kit, chain: str) -> None:
    await kit.lease(lease=10)
    kit.wait(11)
    equal(len(await kit.reap(max_attempts=1)), 1, "jobs reaped")


def _freed_by(end: str, act: Callable[[Kit, str], Awaitable[None]]) -> None:
    async def check(kit: Kit) -> None:
        holder = await _new(kit, _during(kit, expires=100))
        await act(kit, holder)
        await _free(kit)

    aliases.add(f"are_freed_by_{end}", f"The key is free under each name after the chain's end by {end}.", check)


_freed_by("completion", _complete)
_freed_by("finish", _finish)
_freed_by("cancel", _cancel)
_freed_by("delete", _delete)
_freed_by("expiry", _expire)
_freed_by("reap", _reap)


@aliases.case
async def are_freed_by_a_failed_blocker(kit: Kit) -> None:
    """The key is free under each name after a blocker failed, also one that had failed before the start."""
    blocker = await kit.start("blocker")
    await _new(kit, _during(kit, blockers=(blocker,)))
    await kit.close("blocker", Fails(FAILURE))
    await _new(kit, _during(kit, blockers=(blocker,)))
    await _free(kit)


@aliases.case
async def keep_a_lasting_key_until_it_is_deleted(kit: Kit) -> None:
    """A chain that keeps its key when it closes keeps it under each name, and loses it so when it is deleted."""
    holder = await _new(kit, _during(kit, LASTING))
    await kit.close()
    equal([await _given(kit, start(kit, LASTING)) for start in (_before, _after)], [holder] * 2, "the holders")
    await kit.delete(holder)
    await _new(kit, _before(kit, LASTING))
    await _new(kit, _after(kit, LASTING))


@aliases.case
async def are_taken_back_by_a_redrive(kit: Kit) -> None:
    """A redriven chain holds its key under each name again."""
    holder = await _new(kit, _during(kit))
    await kit.close(outcome=Fails(FAILURE))
    await kit.redrive(holder)
    equal([await _given(kit, start(kit)) for start in (_before, _after)], [holder] * 2, "the holders")


@aliases.case
async def refuse_a_redrive_while_another_holds_one(kit: Kit) -> None:
    """A chain whose key another holds under an alias by now is not redriven, and gets its key under no name."""
    loser = await _new(kit, _during(kit))
    await kit.close(outcome=Fails(FAILURE))
    await _new(kit, _before(kit))
    with raises(AlreadyExists, "a redrive"):
        await kit.redrive(loser)
    equal(await kit.status(loser), Status.FAILED, "the status of the loser")
    await _new(kit, _after(kit))


# Steps


@aliases.case
async def name_a_step_to_complete(kit: Kit) -> None:
    """The open job may have any name of the step; none of them is JobTypeMismatch, one past JobAlreadyClosed."""
    chain = await kit.start("old")
    with raises(JobTypeMismatch, "a step under other names"):
        await _complete_step(kit, chain, "next", "third", outcome=Completes("1"))
    await _complete_step(kit, chain, "work", "old", outcome=Continues(Successor(type="next", input="1")))
    with raises(JobAlreadyClosed, "a step that is past"):
        await _complete_step(kit, chain, "work", "old", outcome=Completes("1"))
    await _complete_step(kit, chain, "third", "next", outcome=Completes("1"))


async def _complete_step(kit: Kit, chain: str, step: str, *others: str, outcome: Completes | Continues) -> None:
    closure = Closure(chain_id=chain, step=step, aliases=others, outcome=outcome)
    await kit.adapter.complete_externally([closure], now=kit.now)


@aliases.case
async def name_a_step_to_amend(kit: Kit) -> None:
    """A job is amended under any name of the step."""
    chain = await kit.start("old")
    await kit.amend_all(Amendment(chain_id=chain, step="work", aliases=("third", "old"), input='"new"'))
    equal((await kit.tail(chain)).amended_input, '"new"', "the amended input")
    with raises(JobTypeMismatch, "an amendment"):
        await kit.amend_all(Amendment(chain_id=chain, step="work", aliases=("third",), input='"newer"'))
