"""The rules of blockers, as a whole table: how many a job waits for, and what the bad end of one does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from otelq.model import Blocks, Continues, Fails, OnFailure, Status, Successor, Transition, Until, Verb

from ..cases import Theme
from ..kit import FAILURE, Kit, chains, equal

rules = Theme[Kit]("rules")

End = Literal["completed", "failed", "cancelled", "open"]
FREE, WAITS, LOST = Status.READY, Status.BLOCKED, Status.FAILED

TABLE: dict[tuple[Until, OnFailure], dict[tuple[End, ...], Status]] = {
    (Until.ALL, OnFailure.FAIL): {
        ("completed", "completed"): FREE,
        ("completed", "open"): WAITS,
        ("failed", "open"): LOST,
        ("completed", "cancelled"): LOST,
    },
    (Until.ALL, OnFailure.IGNORE): {
        ("completed", "failed"): FREE,
        ("cancelled", "failed"): FREE,
        ("failed", "open"): WAITS,
    },
    (Until.ALL, OnFailure.WAIT): {
        ("completed", "completed"): FREE,
        ("completed", "failed"): WAITS,
        ("cancelled", "completed"): WAITS,
        ("failed", "open"): WAITS,
    },
    (Until.ANY, OnFailure.FAIL): {
        ("open", "completed"): FREE,
        ("failed", "completed", "open"): FREE,
        ("failed", "open"): WAITS,
        ("failed", "cancelled"): LOST,
    },
    (Until.ANY, OnFailure.IGNORE): {
        ("open", "completed"): FREE,
        ("failed", "open"): FREE,
        ("open", "open"): WAITS,
    },
    (Until.ANY, OnFailure.WAIT): {
        ("completed", "open"): FREE,
        ("failed", "completed", "cancelled"): FREE,
        ("cancelled", "open"): WAITS,
        ("cancelled", "failed"): WAITS,
    },
}
"""For each rule, the statuses of the blockers, and the status of the job that waits for them."""


async def _end(kit: Kit, chain: str, end: End) -> Sequence[Transition]:
    """Bring an open blocker to its end."""
    match end:
        case "completed":
            return await kit.complete_externally(chain, step=chain)
        case "failed":
            return await kit.close(chain, Fails(FAILURE))
        case "cancelled":
            return await kit.cancel(chain)
        case "open":
            return []


async def _blockers(kit: Kit, number: int) -> tuple[str, ...]:
    """Open chains, each of a type of its own, named as it is."""
    made = [kit.id() for _ in range(number)]
    await kit.create(*(kit.job(chain, chain_id=chain) for chain in made))
    return tuple(made)


Rule = tuple[Until, OnFailure]
Give = Callable[[Kit, tuple[str, ...], Rule], Awaitable[Sequence[Transition]]]
"""Makes a job with the blockers, and returns its moves."""


async def _start(kit: Kit, blockers: tuple[str, ...], rule: Rule) -> Sequence[Transition]:
    job = kit.job(blockers=blockers, until=rule[0], on_failure=rule[1])
    return (await kit.create(job))[1]


async def _fresh(kit: Kit) -> str:
    """Start a chain of a type of its own."""
    type = kit.id()
    await kit.start(type)
    return type


def _next(blockers: tuple[str, ...], rule: Rule) -> Continues:
    return Continues(Successor(type="next", input="1", blockers=blockers, until=rule[0], on_failure=rule[1]))


async def _continue(kit: Kit, blockers: tuple[str, ...], rule: Rule) -> Sequence[Transition]:
    return await kit.close(await _fresh(kit), _next(blockers, rule))


async def _continue_from_outside(kit: Kit, blockers: tuple[str, ...], rule: Rule) -> Sequence[Transition]:
    chain = await kit.start("outside")
    return await kit.complete_externally(chain, _next(blockers, rule), step="outside")


async def _block(kit: Kit, blockers: tuple[str, ...], rule: Rule) -> Sequence[Transition]:
    return await kit.close(await _fresh(kit), Blocks(blockers, until=rule[0], on_failure=rule[1]))


GIVE: dict[str, Give] = {
    "start": _start,
    "continuation": _continue,
    "continuation_from_outside": _continue_from_outside,
    "running_job": _block,
}
"""Every way for a job to be given blockers."""

HOW = {FREE: Verb.UNBLOCK, LOST: Verb.FAIL_BY_BLOCKER}


def _of_closed(name: str, give: Give, rule: Rule) -> None:
    async def check(kit: Kit) -> None:
        for ends, expected in TABLE[rule].items():
            blockers = await _blockers(kit, len(ends))
            for blocker, end in zip(blockers, ends, strict=True):
                await _end(kit, blocker, end)
            made = await give(kit, blockers, rule)
            what = f"the status of a {name} given blockers that are {ends}"
            equal(await kit.status(made[-1].chain_id), expected, what)
            equal(made[-1].target, expected, f"the last of the transitions: {what}")

    promise = f"Of blockers that closed before a {name}, it waits for {rule[0]}, with {rule[1]} where one ends badly."
    rules.add(f"{rule[0]}_{rule[1]}_of_blockers_before_a_{name}", promise.replace("_", " "), check)


def _of_open(name: str, give: Give, rule: Rule) -> None:
    async def check(kit: Kit) -> None:
        for ends, expected in TABLE[rule].items():
            blockers = await _blockers(kit, len(ends))
            chain = (await give(kit, blockers, rule))[-1].chain_id
            equal(await kit.status(chain), WAITS, f"the status of a {name} given open blockers")
            made = [move for b, end in zip(blockers, ends, strict=True) for move in await _end(kit, b, end)]
            what = f"the status of a {name} after its blockers are {ends}"
            equal(await kit.status(chain), expected, what)
            for status, verb in HOW.items():
                equal(chains(made, verb), [chain] * (status is expected), f"the chains moved by {verb}: {what}")

    promise = f"Of blockers that close after a {name}, it waits for {rule[0]}, with {rule[1]} where one ends badly."
    rules.add(f"{rule[0]}_{rule[1]}_of_blockers_after_a_{name}", promise.replace("_", " "), check)


for _name, _give in GIVE.items():
    for _rule in TABLE:
        _of_closed(_name, _give, _rule)
        _of_open(_name, _give, _rule)


@rules.case
async def any_frees_a_job_once(kit: Kit) -> None:
    """A job that waits for any blocker is unblocked by the first and unchanged by the others, even if they fail."""
    first, second, third = blockers = await _blockers(kit, 3)
    made = await _start(kit, blockers, (Until.ANY, OnFailure.FAIL))
    chain = made[0].chain_id
    equal(chains(await _end(kit, second, "completed"), Verb.UNBLOCK), [chain], "the chains unblocked by the first")
    equal((await kit.tail(chain)).blocked_by, 0, "the blockers still awaited")
    equal(len(await _end(kit, first, "failed")), 1, "transitions when another fails")
    equal(len(await _end(kit, third, "completed")), 1, "transitions when another completes")
    await kit.lease()


@rules.case
async def any_of_none_waits_for_nothing(kit: Kit) -> None:
    """A job without blockers is due at once, whatever its rule."""
    for rule in TABLE:
        made = await _start(kit, (), rule)
        equal([move.target for move in made], [FREE], f"the transitions of a start without blockers by {rule}")


@rules.case
async def blockers_still_awaited_are_counted(kit: Kit) -> None:
    """The record of a blocked job counts the blockers awaited: those that ended badly, if it waits on."""
    for rule, awaited in (((Until.ALL, OnFailure.WAIT), 2), ((Until.ALL, OnFailure.IGNORE), 1)):
        blockers = await _blockers(kit, 3)
        chain = (await _start(kit, blockers, rule))[0].chain_id
        await _end(kit, blockers[0], "failed")
        await _end(kit, blockers[1], "completed")
        record = await kit.tail(chain)
        equal((record.status, record.blocked_by), (WAITS, awaited), f"status and blockers awaited by {rule}")
