"""Pages that end because enough was looked at, and counts that stop."""

from __future__ import annotations

from typing import Any, Literal

from otelq.model import Completes, Continues, Count, JobQuery, Status, Successor

from ..cases import Theme
from ..kit import Kit, equal, true

pages = Theme[Kit]("pages")
Of = Literal["jobs", "chains"]
KINDS: tuple[Of, ...] = ("jobs", "chains")
MANY = 100
"""More pages than any case of this theme should need."""


async def _page(kit: Kit, of: Of, **query: Any) -> tuple[list[str], str | None]:
    asked = JobQuery(**query)
    page = await (kit.adapter.jobs(asked) if of == "jobs" else kit.adapter.chains(asked))
    return [record.chain_id for record in page.items], page.next


async def _walk(kit: Kit, of: Of, **query: Any) -> tuple[list[str], int]:
    """Return all that a query finds, page by page, and the number of pages."""
    found: list[str] = []
    after: str | None = None
    for walked in range(1, MANY):
        items, after = await _page(kit, of, after=after, **query)
        true(len(items) <= query.get("limit", 50), f"a page holds {len(items)} {of}")
        found += items
        if after is None:
            return found, walked
    raise AssertionError("the pages do not come to an end")


async def _needles(kit: Kit) -> list[str]:
    """Start chains of which some hold a needle, some are closed; those with a needle, newest first."""
    needles: list[str] = []
    for number in range(24):
        has_needle = number % 8 == 0
        chain = await kit.start(input='"needle"' if has_needle else '"hay"')
        if has_needle:
            needles.insert(0, chain)
        if number % 3 == 0:
            await kit.cancel(chain)
    return needles


@pages.case
async def a_page_looks_no_further_than_it_may(kit: Kit) -> None:
    """A page that finds nothing in the rows that it may look at is empty, and says where to go on."""
    needle = await kit.start(input='"needle"')
    await kit.create(*(kit.job() for _ in range(30)))
    for of in KINDS:
        items, after = await _page(kit, of, text="needle", scan_limit=5)
        equal(items, [], f"the {of} on the first page")
        true(after is not None, "a page whose search was bounded says that it is the last")
        equal((await _walk(kit, of, text="needle", scan_limit=5))[0], [needle], f"the {of} found page by page")


@pages.case
async def short_pages_leave_nothing_out(kit: Kit) -> None:
    """All pages together hold everything once and in order, whatever their limits."""
    needles = await _needles(kit)
    for of in KINDS:
        for look in (1, 2, 5, 100):
            for limit in (1, 2, 50):
                found, _ = await _walk(kit, of, text="needle", scan_limit=look, limit=limit)
                equal(found, needles, f"the {of}, {limit} a page, looking at {look}")


@pages.case
async def short_pages_of_several_statuses_leave_nothing_out(kit: Kit) -> None:
    """The same holds where open and closed ones are asked for together, or apart."""
    needles = await _needles(kit)
    closed = {record.chain_id for record in (await kit.adapter.jobs(JobQuery(statuses=_CANCELLED))).items}
    for of in KINDS:
        for statuses in (_CANCELLED, _READY, _CANCELLED | _READY | {Status.COMPLETED}):
            wanted = [one for one in needles if (Status.CANCELLED if one in closed else Status.READY) in statuses]
            for look in (1, 3, 100):
                found, _ = await _walk(kit, of, text="needle", statuses=statuses, scan_limit=look, limit=2)
                equal(found, wanted, f"the {of} that are {sorted(statuses)}, looking at {look}")


_CANCELLED = frozenset({Status.CANCELLED})
_READY = frozenset({Status.READY})


@pages.case
async def a_page_without_filters_looks_as_far_too(kit: Kit) -> None:
    """Also where every row passes, a page holds no more than it may look at."""
    given = [await kit.start() for _ in range(7)]
    for of in KINDS:
        found, walked = await _walk(kit, of, scan_limit=3)
        equal(found, given[::-1], f"the {of}")
        true(walked >= 3, f"seven {of} were returned on {walked} pages of three")


@pages.case
async def pages_with_filters_do_not_shift_while_the_store_changes(kit: Kit) -> None:
    """A start or a deletion between two pages neither shifts the rest nor returns a row twice."""
    needles = await _needles(kit)
    for of in KINDS:
        first, after = await _page(kit, of, text="needle", limit=1)
        await kit.start(input='"needle"')
        rest, _ = await _page(kit, of, text="needle", after=after)
        equal(first + rest, needles, f"the {of} on two pages, with a start between them")
        needles, _ = await _walk(kit, of, text="needle")
    for of in KINDS:
        first, after = await _page(kit, of, text="needle", limit=1)
        await kit.delete(*first)
        rest, _ = await _page(kit, of, text="needle", after=after)
        equal(first + rest, needles, f"the {of} on two pages, with a deletion between them")
        needles = rest


@pages.case
async def a_page_may_end_within_a_chain(kit: Kit) -> None:
    """Jobs of a long chain are returned in order, however the pages cut it."""
    chain = await kit.start()
    for _ in range(6):
        await kit.complete_externally(chain, Continues(Successor(type="work", input='"needle"')))
    for look, limit in ((1, 50), (2, 50), (50, 2), (3, 2)):
        found: list[int] = []
        after: str | None = None
        for _ in range(MANY):
            page = await kit.adapter.jobs(JobQuery(text="needle", scan_limit=look, limit=limit, after=after))
            found += [record.position for record in page.items]
            after = page.next
            if after is None:
                break
        equal(found, [1, 2, 3, 4, 5, 6], f"the positions, {limit} a page, looking at {look}")


@pages.case
async def a_page_of_chains_may_end_at_a_long_one(kit: Kit) -> None:
    """Chains of several jobs, closed or open, are returned once each, wherever the search is cut."""
    given = [await kit.start() for _ in range(4)]
    for chain in given[1:3]:
        for _ in range(3):
            await kit.complete_externally(chain, Continues(Successor(type="work", input="1")))
    await kit.complete_externally(given[1], Completes("1"))
    for look, limit in ((1, 50), (2, 50), (3, 2), (1, 1)):
        found, _ = await _walk(kit, "chains", scan_limit=look, limit=limit)
        equal(found, given[::-1], f"the chains, {limit} a page, looking at {look}")
    found, _ = await _walk(kit, "chains", scan_limit=1, chain_ids=tuple(given))
    equal(found, given[::-1], "the same chains by their ids")


@pages.case
async def counts_are_exact_below_their_bounds(kit: Kit) -> None:
    """A count below its limit, in fewer rows than it may look at, is exact; nothing counts as zero."""
    needles = await _needles(kit)
    for of in KINDS:
        equal(await kit.count(of), Count(24, exact=True), f"the {of}")
        equal(await kit.count(of, text="needle"), Count(len(needles), exact=True), f"the {of} with a needle")
        equal(await kit.count(of, text="nothing"), Count(0, exact=True), f"the {of} with nothing")
        equal(await kit.count(of, statuses=_CANCELLED), Count(8, exact=True), f"the cancelled {of}")


@pages.case
async def counts_stop_at_their_limit(kit: Kit) -> None:
    """A count stops at its limit, and is not exact where there is more."""
    await _needles(kit)
    for of in KINDS:
        equal(await kit.count(of, limit=10), Count(10, exact=False), f"the {of}")
        equal(await kit.count(of, text="needle", limit=2), Count(2, exact=False), f"the {of} with a needle")


@pages.case
async def counts_look_no_further_than_they_may(kit: Kit) -> None:
    """A count stops when it looked at enough rows, and is not exact then."""
    await kit.start(input='"needle"')
    await kit.create(*(kit.job() for _ in range(30)))
    for of in KINDS:
        equal(await kit.count(of, text="needle", scan_limit=5), Count(0, exact=False), f"the {of}")
