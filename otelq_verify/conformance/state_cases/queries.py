"""Questions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from msgspec.structs import replace

from otelq.model import (
    CLOSED,
    OPEN,
    Completes,
    Continues,
    Fails,
    JobQuery,
    Page,
    Status,
    Successor,
)

from ..cases import Theme
from ..kit import FAILURE, Kit, equal, true

queries = Theme[Kit]("queries")
FAR = 30 * 86400.0
MANY = 100
"""More than any case of this theme stores."""
NEXT = Successor(type="next", input='"two"')
Key = tuple[str, int]
T = TypeVar("T")


async def _one_of_each(kit: Kit) -> dict[Status, str]:
    """Start a chain of the type ``work`` in each status; the continued one has a successor ``next``, which is ready."""
    made = {Status.COMPLETED: await kit.start()}
    await kit.close()
    made[Status.FAILED] = await kit.start()
    await kit.close(outcome=Fails(FAILURE))
    made[Status.CONTINUED] = await kit.start()
    await kit.close(outcome=Continues(NEXT))
    made[Status.RUNNING] = await kit.start()
    await kit.lease()
    made[Status.CANCELLED] = await kit.start()
    await kit.cancel(made[Status.CANCELLED])
    made[Status.BLOCKED] = await kit.start(blockers=(made[Status.RUNNING],))
    made[Status.SCHEDULED] = await kit.start(delay=FAR)
    made[Status.READY] = await kit.start()
    return made


async def _jobs(kit: Kit, *, page: int = 100, **query: Any) -> list[Key]:
    """Return all jobs of a query, page by page."""
    found = await _all(kit.adapter.jobs, JobQuery(limit=page, **query))
    return [(record.chain_id, record.position) for record in found]


async def _chains(kit: Kit, *, page: int = 100, **query: Any) -> list[str]:
    """Return all chains of a query, page by page."""
    return [record.chain_id for record in await _all(kit.adapter.chains, JobQuery(limit=page, **query))]


async def _all(ask: Callable[[JobQuery], Awaitable[Page[T]]], query: JobQuery) -> list[T]:
    found: list[T] = []
    while True:
        answer = await ask(query)
        found += answer.items
        if answer.next is None:
            return found
        true(len(found) < MANY, "the pages do not come to an end")
        equal(len(answer.items), query.limit, "the items on a page that is not the last")
        query = replace(query, after=answer.next)


def _newest_first(chains: Iterable[str]) -> list[str]:
    return sorted(chains, reverse=True)


@queries.case
async def outcomes_leave_out_what_is_missing(kit: Kit) -> None:
    """Outcomes are returned for the chains that exist; the others are left out."""
    chain, missing = await kit.start(), kit.id()
    outcomes = await kit.adapter.outcomes([missing, chain])
    equal(list(outcomes), [chain], "the chains in the answer")
    equal(await kit.adapter.outcomes([]), {}, "the answer about no chains")


@queries.case
async def outcomes_have_every_status(kit: Kit) -> None:
    """The status of a chain is its tail's, whatever that is."""
    made = await _one_of_each(kit)
    outcomes = await kit.adapter.outcomes(list(made.values()))
    expected = {chain: status for status, chain in made.items()} | {made[Status.CONTINUED]: Status.READY}
    equal({chain: outcome.status for chain, outcome in outcomes.items()}, expected, "the statuses")
    equal({outcome.type for outcome in outcomes.values()}, {"work"}, "the types of the chains")


@queries.case
async def blocker_outputs_have_the_present_status(kit: Kit) -> None:
    """Blockers are returned with their present status; a chain without blockers has none."""
    failed, open_ = await kit.start("blocker"), await kit.start("blocker")
    chain, other = await kit.start(blockers=(open_, failed)), await kit.start()
    await kit.close("blocker", Fails(FAILURE))
    answer = await kit.adapter.blocker_outputs([(chain, 0), (other, 0)])
    statuses = [(one.chain_id, one.status) for one in answer[chain, 0]]
    equal(statuses, [(open_, Status.READY), (failed, Status.FAILED)], "the blockers and their statuses")
    equal(answer[chain, 0][1].failure, FAILURE, "the failure of the blocker")
    equal(list(answer.get((other, 0), [])), [], "the blockers of a chain that has none")


@queries.case
async def jobs_come_newest_chain_first(kit: Kit) -> None:
    """Jobs are listed newest chain first, and within a chain first to last."""
    first, second, third = [await kit.start() for _ in range(3)]
    await kit.complete_externally(second, Continues(NEXT))
    equal(await _jobs(kit), [(third, 0), (second, 0), (second, 1), (first, 0)], "the jobs")


@queries.case
async def jobs_of_a_chain(kit: Kit) -> None:
    """A query for one chain lists its jobs alone; an unknown chain has none."""
    chain, _ = await kit.start(), await kit.start()
    await kit.complete_externally(chain, Continues(NEXT))
    equal(await _jobs(kit, chain_ids=(chain,)), [(chain, 0), (chain, 1)], "the jobs of the chain")
    equal(await _jobs(kit, chain_ids=(chain,), page=1), [(chain, 0), (chain, 1)], "the same, page by page")
    equal(await _jobs(kit, chain_ids=(kit.id(),)), [], "the jobs of an unknown chain")


@queries.case
async def jobs_by_status(kit: Kit) -> None:
    """A query for a status lists the jobs in it, for each of the eight."""
    made = await _one_of_each(kit)
    for status, chain in made.items():
        expected = [(chain, 0)]
        if status is Status.READY:
            expected.append((made[Status.CONTINUED], 1))
        equal(await _jobs(kit, statuses=frozenset({status})), expected, f"the jobs that are {status}")


@queries.case
async def jobs_by_several_statuses(kit: Kit) -> None:
    """A query for several statuses, open and closed, merges them in order."""
    made = await _one_of_each(kit)
    tail = (made[Status.CONTINUED], 1)
    for statuses in (OPEN, CLOSED, frozenset({Status.READY, Status.CANCELLED, Status.CONTINUED})):
        expected = [(made[status], 0) for status in statuses]
        if Status.READY in statuses:
            expected.append(tail)
        expected.sort(key=lambda key: key[1])
        expected.sort(key=lambda key: key[0], reverse=True)
        for page in (1, 2, 100):
            found = await _jobs(kit, statuses=statuses, page=page)
            equal(found, expected, f"the jobs that are {sorted(statuses)}, {page} a page")


@queries.case
async def jobs_by_type(kit: Kit) -> None:
    """A query for types lists the jobs of these types, whatever their chains began with."""
    first, second = await kit.start(), await kit.start("other")
    await kit.complete_externally(first, Continues(NEXT))
    equal(await _jobs(kit, types=("next",)), [(first, 1)], "the jobs of one type")
    equal(await _jobs(kit, types=("next", "other")), [(second, 0), (first, 1)], "the jobs of two types")
    equal(await _jobs(kit, types=("none",)), [], "the jobs of an unknown type")


@queries.case
async def jobs_by_type_and_status(kit: Kit) -> None:
    """Types and statuses narrow each other."""
    made = await _one_of_each(kit)
    ready = frozenset({Status.READY})
    equal(await _jobs(kit, types=("next",), statuses=ready), [(made[Status.CONTINUED], 1)], "ready jobs of a type")
    equal(await _jobs(kit, types=("next",), statuses=CLOSED), [], "closed jobs of a type that has open ones")
    found = await _jobs(kit, types=("work",), statuses=frozenset({Status.CONTINUED}))
    equal(found, [(made[Status.CONTINUED], 0)], "continued jobs of a type")


@queries.case
async def jobs_page_by_page(kit: Kit) -> None:
    """Pages neither repeat nor leave out a job, and the last one says that it is the last."""
    chains = [await kit.start() for _ in range(6)]
    for chain in chains[::2]:
        await kit.complete_externally(chain, Continues(NEXT))
    expected = await _jobs(kit)
    equal(len(expected), 9, "jobs on one page")
    for page in (1, 2, 3, 4, 9):
        equal(await _jobs(kit, page=page), expected, f"the jobs, {page} a page")


@queries.case
async def pages_do_not_shift_while_the_store_grows(kit: Kit) -> None:
    """A later start does not shift the pages that follow."""
    chains = [await kit.start() for _ in range(4)]
    page = await kit.adapter.jobs(JobQuery(limit=2))
    await kit.start()
    rest = await kit.adapter.jobs(JobQuery(limit=5, after=page.next))
    equal([record.chain_id for record in rest.items], [chains[1], chains[0]], "the second page")


@queries.case
async def records_have_what_is_stored(kit: Kit) -> None:
    """A record has the fields of its status, and no others."""
    chain = await kit.start(input='"in"', trace="00-trace", meta='{"a":"b"}')
    due = kit.after(FAR)
    await kit.complete_externally(chain, Continues(Successor(type="next", input='"two"', at=due)))
    first, second = await kit.records(chain)
    equal((first.status, first.closed_at, first.input), (Status.CONTINUED, kit.now, '"in"'), "the first job")
    equal((first.output, first.failure, first.trace), (None, None, "00-trace"), "its output, failure and trace")
    equal((second.status, second.run_at, second.closed_at), (Status.SCHEDULED, due, None), "the second job")
    equal((second.leased_by, second.leased_until, second.attempt), (None, None, 0), "its lease and attempts")
    await kit.cancel(chain)
    await kit.start("other", input='"x"')
    await kit.close("other", Completes('"out"'))
    page = await kit.adapter.jobs(JobQuery(types=("other",)))
    record = page.items[0]
    equal((record.output, record.failure, record.closed_at), ('"out"', None, kit.now), "a completed job")
    equal((record.leased_by, record.leased_until), (None, None), "its lease")


@queries.case
async def chains_by_type_and_status(kit: Kit) -> None:
    """Chains are found by the type of their first job and the status of their last."""
    made = await _one_of_each(kit)
    moved = made[Status.CONTINUED]
    equal(await _chains(kit), _newest_first(made.values()), "all chains")
    equal(await _chains(kit, types=("next",)), [], "chains by the type of a later job")
    ready = frozenset({Status.READY})
    expected = _newest_first((made[Status.READY], moved))
    equal(await _chains(kit, types=("work",), statuses=ready), expected, "chains whose tail is ready")
    equal(await _chains(kit, statuses=frozenset({Status.CONTINUED})), [], "chains whose tail is continued")
    equal(await _chains(kit, chain_ids=(moved,)), [moved], "one chain by its id")


@queries.case
async def chains_by_status(kit: Kit) -> None:
    """A query for a status lists the chains whose tail is in it."""
    made = await _one_of_each(kit)
    for status in set(Status) - {Status.CONTINUED, Status.READY}:
        equal(await _chains(kit, statuses=frozenset({status})), [made[status]], f"the chains that are {status}")


@queries.case
async def chains_page_by_page(kit: Kit) -> None:
    """Pages neither repeat nor leave out a chain, and the last one says that it is the last."""
    made = await _one_of_each(kit)
    closed = {chain for status, chain in made.items() if status in CLOSED - {Status.CONTINUED}}
    for page in (1, 2, 4, 8):
        equal(await _chains(kit, page=page), _newest_first(made.values()), f"the chains, {page} a page")
        found = await _chains(kit, page=page, statuses=CLOSED)
        equal(found, _newest_first(closed), f"the closed chains, {page} a page")


@queries.case
async def chains_have_a_head_and_a_tail(kit: Kit) -> None:
    """A chain is described by its first job and its last; of a chain of one they are the same."""
    long, short = await kit.start(), await kit.start()
    await kit.complete_externally(long, Continues(NEXT))
    await kit.complete_externally(long, Completes('"end"'), step="next")
    one, two = (await kit.adapter.chains(JobQuery())).items
    equal((one.chain_id, one.head == one.tail), (short, True), "the chain of one")
    equal((two.chain_id, two.type), (long, "work"), "the chain of two")
    equal((two.head.position, two.head.type, two.head.status), (0, "work", Status.CONTINUED), "its head")
    equal((two.tail.position, two.tail.type, two.tail.output), (1, "next", '"end"'), "its tail")


@queries.case
async def attempts_belong_to_a_job(kit: Kit) -> None:
    """The attempts of a successor are apart from those of its predecessor; of an unknown job there are none."""
    chain = await kit.start()
    await kit.close(outcome=Continues(NEXT))
    await kit.close("next")
    for position in (0, 1):
        found = await kit.adapter.attempts(chain, position)
        equal([(record.position, record.number) for record in found], [(position, 1)], "the attempts")
    equal(list(await kit.adapter.attempts(kit.id(), 0)), [], "the attempts of an unknown chain")
