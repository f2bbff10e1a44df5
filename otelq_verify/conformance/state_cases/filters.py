"""The filters of a query, each alone and together."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from otelq.model import (
    Blocks,
    Completes,
    Continues,
    Count,
    Fails,
    JobQuery,
    Match,
    Status,
    Successor,
)

from ..cases import Theme
from ..kit import FAILURE, Kit, equal

filters = Theme[Kit]("filters")
META = '{"tags":{"city":"Ürümqi","tier":"gold"},"headers":{"h":"1"},"tenant":"acme","request_id":"r-1"}'
OTHER = '{"tags":{"city":"Oslo","tier":"gold"},"tenant":"globex"}'
READY = frozenset({Status.READY})
CLOSED = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})
Key = tuple[str, int]


async def _jobs(kit: Kit, **query: Any) -> list[Key]:
    """Return the jobs found, and check their count."""
    page = await kit.adapter.jobs(JobQuery(**query))
    equal(await kit.count("jobs", **query), Count(len(page.items), exact=True), f"the count of jobs by {query}")
    equal(page.next, None, "the key of the next page")
    return [(record.chain_id, record.position) for record in page.items]


async def _chains(kit: Kit, **query: Any) -> list[str]:
    """Return the chains found, and check their count."""
    page = await kit.adapter.chains(JobQuery(**query))
    equal(await kit.count("chains", **query), Count(len(page.items), exact=True), f"the count of chains by {query}")
    equal(page.next, None, "the key of the next page")
    return [record.chain_id for record in page.items]


async def _both(kit: Kit, expected: list[str], **query: Any) -> None:
    """Ask for chains of one job, by chain and by job."""
    equal(await _chains(kit, **query), expected, f"the chains by {query}")
    equal(await _jobs(kit, **query), [(chain, 0) for chain in expected], f"the jobs by {query}")


async def _in_each_status(kit: Kit, **fields: Any) -> dict[Status, str]:
    """Start a chain of one job in each status that a chain can have, newest last."""
    made: dict[Status, str] = {status: kit.id() for status in Status if status is not Status.CONTINUED}
    await kit.start("blocker", chain_id=made[Status.RUNNING], **fields)
    for status in (Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.READY):
        await kit.start(status, chain_id=made[status], **fields)
    await kit.lease("blocker")
    await kit.close(Status.COMPLETED)
    await kit.close(Status.FAILED, Fails(FAILURE))
    await kit.cancel(made[Status.CANCELLED])
    await kit.start("later", chain_id=made[Status.SCHEDULED], delay=30 * 86400.0, **fields)
    await kit.start("later", chain_id=made[Status.BLOCKED], blockers=(made[Status.RUNNING],), **fields)
    return made


def _by_each_status(name: str, fields: dict[str, Any], others: dict[str, Any], query: dict[str, Any]) -> None:
    async def check(kit: Kit) -> None:
        await _in_each_status(kit, **others)
        made = await _in_each_status(kit, **fields)
        for status, chain in made.items():
            await _both(kit, [chain], statuses=frozenset({status}), **query)
        newest_first = sorted(made.values(), reverse=True)
        await _both(kit, newest_first, **query)

    filters.add(f"{name}_in_each_status", f"The filter {name} finds the right chains in each status.", check)


PLAIN: dict[str, Any] = {"input": '{"a":"plain"}'}
_by_each_status("tags", {"meta": META}, {"meta": OTHER}, {"tags": (("city", "Ürümqi"),)})
_by_each_status("tenant", {"meta": META}, {"meta": OTHER}, {"tenant": "acme"})
_by_each_status("queue", {"queue": "mail"}, {"queue": "post"}, {"queues": ("mail", "none")})
_by_each_status("text", {"input": '{"a":"a needle"}'}, PLAIN, {"text": "needle"})
_by_each_status(
    "matches",
    {"input": '{"a":"needle"}'},
    PLAIN,
    {"matches": (Match(part="input", path=("a",), value='"needle"'),)},
)


@filters.case
async def chain_types_are_those_of_the_first_job(kit: Kit) -> None:
    """Jobs are found by the type that their chain began with; chains too."""
    first, second = await kit.start("one"), await kit.start("two")
    await kit.close("one", Continues(Successor(type="two", input="1")))
    equal(await _jobs(kit, chain_types=("one",)), [(first, 0), (first, 1)], "the jobs of the first chain")
    equal(await _jobs(kit, chain_types=("one",), types=("two",)), [(first, 1)], "those of one type")
    equal(await _jobs(kit, chain_types=("two", "three")), [(second, 0)], "the jobs of the second")
    equal(await _jobs(kit, chain_types=("one",), statuses=READY), [(first, 1)], "the ready jobs")
    equal(await _chains(kit, chain_types=("one",)), [first], "the chains")


@filters.case
async def queues_are_those_of_the_job(kit: Kit) -> None:
    """Jobs are found by the queue that each was created in, chains by that of their first job."""
    first, second = await kit.start(queue="one"), await kit.start("next", queue="two")
    await kit.close(outcome=Continues(Successor(type="next", input="1", queue="two")))
    equal(await _jobs(kit, queues=("one",)), [(first, 0)], "the jobs of one queue")
    equal(await _jobs(kit, queues=("two",)), [(second, 0), (first, 1)], "those of the other")
    equal(await _jobs(kit, queues=("two",), types=("work",)), [], "those of a type that it does not have")
    equal(await _jobs(kit, queues=("one", "two"), chain_types=("work",)), [(first, 0), (first, 1)], "those of both")
    equal(await _chains(kit, queues=("one",)), [first], "the chains of one queue")
    equal(await _chains(kit, queues=("two",)), [second], "those of the other")


@filters.case
async def chain_ids_are_any_number(kit: Kit) -> None:
    """Many chains can be asked for at once, in any order, missing ones too; other filters narrow them."""
    given = [await kit.start(str(n % 2)) for n in range(6)]
    await kit.cancel(given[2])
    asked = (given[4], kit.id(), given[0], given[2], given[4])
    await _both(kit, [given[4], given[2], given[0]], chain_ids=asked)
    await _both(kit, [given[4], given[0]], chain_ids=asked, statuses=READY)
    await _both(kit, [given[3], given[1]], chain_ids=tuple(given[:4]), types=("1",))
    await _both(kit, [given[5]], chain_ids=(*(kit.id() for _ in range(999)), given[5]))


@filters.case
async def blocked_by_finds_all_that_ever_waited(kit: Kit) -> None:
    """Jobs are found by a blocker that they wait for, or waited for, from their start or since."""
    blocker = await kit.start("blocker")
    started, later, ran = await kit.start(blockers=(blocker,)), await kit.start("later"), await kit.start("ran")
    await kit.start("unrelated", blockers=(started,))
    await kit.close("later", Continues(Successor(type="next", input="1", blockers=(blocker,))))
    await kit.close("ran", Blocks((blocker,)))
    expected = [(ran, 0), (later, 1), (started, 0)]
    for _ in ("while they wait", "when they wait no longer"):
        equal(await _jobs(kit, blocked_by=blocker), expected, "the jobs")
        equal(await _chains(kit, blocked_by=blocker), [ran, later, started], "the chains")
        await kit.complete_externally(blocker, step="blocker") if await kit.claim("blocker") else None
    equal(await _jobs(kit, blocked_by=blocker, types=("next",)), [(later, 1)], "those of one type")
    equal(await _chains(kit, blocked_by=blocker, chain_ids=(started,)), [started], "those of one chain")
    equal(await _jobs(kit, blocked_by=kit.id()), [], "the jobs that wait for a chain that does not exist")


@filters.case
async def tags_must_all_hold(kit: Kit) -> None:
    """Of several tags all must have their value; a chain without any is not found."""
    one, two = await kit.start(meta=META), await kit.start(meta=OTHER)
    await kit.start()
    await kit.start(meta='{"headers":{"tier":"gold"}}')
    await _both(kit, [two, one], tags=(("tier", "gold"),))
    await _both(kit, [one], tags=(("tier", "gold"), ("city", "Ürümqi")))
    await _both(kit, [], tags=(("tier", "gold"), ("city", "Rome")))
    await _both(kit, [], tags=(("Tier", "gold"),))


@filters.case
async def tags_hold_for_every_job_of_a_chain(kit: Kit) -> None:
    """The later jobs of a chain are found by its tags and its tenant, which they inherit."""
    chain = await kit.start(meta=META)
    await kit.close(outcome=Continues(Successor(type="next", input="1", meta=META)))
    equal(await _jobs(kit, tags=(("tier", "gold"),)), [(chain, 0), (chain, 1)], "the jobs by tag")
    equal(await _jobs(kit, tenant="acme", types=("next",)), [(chain, 1)], "the jobs by tenant")
    equal(await _chains(kit, tenant="acme", statuses=READY), [chain], "the chains by tenant")


@filters.case
async def odd_tags_are_data(kit: Kit) -> None:
    """Names and values of tags, and tenants, may hold anything: quotes, dots, percent signs, nothing at all."""
    for odd in ('a"b', "it's", "a.b", "$", "100%", "a_b", "[0]", "", "\\"):
        quoted = odd.replace("\\", "\\\\").replace('"', '\\"')
        chain = await kit.start(meta=f'{{"tags":{{"{quoted}":"{quoted}"}},"tenant":"{quoted}"}}')
        await _both(kit, [chain], tags=((odd, odd),))
        await _both(kit, [chain], tenant=odd)


@filters.case
async def since_and_until_include_their_moment(kit: Kit) -> None:
    """Chains are found by the time in their id, to the millisecond, both ends included."""
    given: list[str] = []
    for _ in range(4):
        given.append(await kit.start())
        kit.wait(0.001)
    second, third = kit.now - timedelta(milliseconds=3), kit.now - timedelta(milliseconds=2)
    await _both(kit, given[:0:-1], since=second)
    await _both(kit, given[2::-1], until=third)
    await _both(kit, given[2:0:-1], since=second, until=third)
    await _both(kit, [given[2]], since=third, until=third)
    await _both(kit, [], since=kit.now)
    await kit.cancel(given[1])
    await _both(kit, [given[1]], since=second, until=third, statuses=CLOSED)


@filters.case
async def roots_are_blockers_of_no_job(kit: Kit) -> None:
    """Chains that are a blocker of any job, open or closed, are no roots."""
    early, late = await kit.start("early"), await kit.start("late")
    chain = await kit.start(blockers=(early,))
    await kit.close("early")
    await kit.close(outcome=Continues(Successor(type="next", input="1", blockers=(late,))))
    alone = await kit.start("alone")
    equal(await _chains(kit, roots=True), [alone, chain], "the chains")
    equal(await _jobs(kit, roots=True), [(alone, 0), (chain, 0), (chain, 1)], "the jobs")
    await kit.close("late")
    equal(await _chains(kit, roots=True, types=("work", "late", "early")), [chain], "the chains of certain types")
    await kit.delete(chain)
    equal(await _chains(kit, roots=True), [alone, late, early], "the chains when the dependent is gone")


MATCHING: dict[str, tuple[tuple[str | int, ...], str]] = {
    "text": (("name",), '"Ada"'),
    "number": (("n",), "7"),
    "truth": (("yes",), "true"),
    "null": (("none",), "null"),
    "nested": (("deep", "list", 1, "x"), '"y"'),
    "list": (("deep", "list"), '[0, {"x":"y"}]'),
    "object": (("deep",), '{"list":[0,{"x":"y"}]}'),
    "odd name": (('a.b "c"',), "1"),
    "digits for a name": (("0",), '"zero"'),
    "empty name": (("",), "2"),
}
PAYLOAD = '{"name":"Ada","n":7,"yes":true,"none":null,"deep":{"list":[0,{"x":"y"}]},"a.b \\"c\\"":1,"0":"zero","":2}'


@filters.case
async def matches_find_a_value_at_its_path(kit: Kit) -> None:
    """A payload is found by the value at a path of keys and indexes, of whatever kind it is."""
    chain = await kit.start(input=PAYLOAD)
    await kit.start(input='{"name":"Bob"}')
    for name, (path, value) in MATCHING.items():
        found = await _chains(kit, matches=(Match(part="input", path=path, value=value),))
        equal(found, [chain], f"the chains by {name}")


@filters.case
async def matches_find_whole_payloads(kit: Kit) -> None:
    """The empty path is the payload itself."""
    number, text, listed = await kit.start(input="7"), await kit.start(input='"seven"'), await kit.start(input="[7]")
    for chain, path, value in ((number, (), "7"), (text, (), '"seven"'), (listed, (), "[7]"), (listed, (0,), "7")):
        await _both(kit, [chain], matches=(Match(part="input", path=path, value=value),))


@filters.case
async def matches_find_nothing_else(kit: Kit) -> None:
    """A path that is not there, a value of another kind, or a part of a value does not match."""
    await kit.start(input=PAYLOAD)
    await kit.start(input="[7]")
    wrong: list[tuple[tuple[str | int, ...], str]] = [
        (("missing",), "null"),
        (("name", "x"), "null"),
        (("deep", "list", 2), "null"),
        (("deep", "list", "0"), "0"),
        (("n",), '"7"'),
        (("yes",), "1"),
        (("yes",), '"true"'),
        (("none",), '"null"'),
        (("name",), '"ada"'),
        (("deep",), "{}"),
        (("deep", "list"), "[0]"),
        ((7,), "null"),
    ]
    for path, value in wrong:
        await _both(kit, [], matches=(Match(part="input", path=path, value=value),))


@filters.case
async def matches_look_at_outputs(kit: Kit) -> None:
    """A chain is found by the output of its tail, a job by its own; one that is open has none."""
    chain = await kit.start(input='{"a":1}')
    await kit.close(outcome=Continues(Successor(type="next", input='{"a":2}')))
    wanted = (Match(part="output", path=("a",), value="3"),)
    await kit.start("open", input='{"a":3}')
    equal(await _chains(kit, matches=wanted), [], "the chains before the output is there")
    await kit.close("next", Completes('{"a":3}'))
    equal(await _chains(kit, matches=wanted), [chain], "the chains")
    equal(await _jobs(kit, matches=wanted), [(chain, 1)], "the jobs")
    both = (*wanted, Match(part="input", path=("a",), value="1"))
    equal(await _chains(kit, matches=both), [chain], "the chains by the first input and the last output")
    equal(await _jobs(kit, matches=both), [], "the jobs by both")


@filters.case
async def matches_and_text_look_at_the_amended_input(kit: Kit) -> None:
    """A job whose input was amended is found by the new one, and not by the old."""
    chain = await kit.start(input='{"a":"old"}')
    await kit.amend(chain, input='{"a":"new"}')
    for _ in ("while it is open", "when it is closed"):
        await _both(kit, [chain], matches=(Match(part="input", path=("a",), value='"new"'),))
        await _both(kit, [], matches=(Match(part="input", path=("a",), value='"old"'),))
        await _both(kit, [chain], text="new")
        await kit.cancel(chain) if await kit.status(chain) is Status.READY else None


@filters.case
async def text_is_found_letter_for_letter(kit: Kit) -> None:
    """Text is found in inputs and outputs as it is written: case counts, and no character is a pattern."""
    one = await kit.start(input='{"a":"100% of_Ada\'s"}')
    two = await kit.start("other")
    await kit.close("other", Completes('{"b":"naïve*"}'))
    for chain, text in ((one, "100%"), (one, "of_A"), (one, "Ada's"), (two, "naïve"), (two, "ve*"), (two, '"b"')):
        await _both(kit, [chain], text=text)
    for text in ("ada", "0%s", "of-A", "f_a", "100_", "%Ada", "na*e", "NAÏVE"):
        await _both(kit, [], text=text)


@filters.case
async def text_of_a_chain_is_in_its_ends(kit: Kit) -> None:
    """A chain is found by text in its first input or its last output; a job by its own."""
    chain = await kit.start(input='"first"')
    await kit.close(outcome=Continues(Successor(type="next", input='"middle"')))
    await kit.close("next", Completes('"last"'))
    for text, chains, jobs in (
        ("first", [chain], [(chain, 0)]),
        ("last", [chain], [(chain, 1)]),
        ("middle", [], [(chain, 1)]),
    ):
        equal(await _chains(kit, text=text), chains, f"the chains with {text!r}")
        equal(await _jobs(kit, text=text), jobs, f"the jobs with {text!r}")


@filters.case
async def filters_narrow_each_other(kit: Kit) -> None:
    """All filters given must hold; each of them alone excludes a chain."""
    blocker = await kit.start("blocker")
    fields: dict[str, Any] = {"type": "work", "input": '{"a":"needle"}', "meta": META, "blockers": (blocker,)}
    fields["queue"] = "mail"
    chain = await kit.start(**fields)
    others: list[dict[str, Any]] = [{"type": "b"}, {"input": "1"}, {"meta": OTHER}, {"blockers": ()}, {"queue": "b"}]
    for other in others:
        await kit.start(**(fields | other))
    cancelled, waited_for = await kit.start(**fields), await kit.start(**fields)
    await kit.cancel(cancelled)
    await kit.start("dependent", blockers=(waited_for,))
    wanted: dict[str, Any] = {
        "types": ("work",),
        "chain_types": ("work",),
        "queues": ("mail",),
        "statuses": frozenset({Status.BLOCKED}),
        "blocked_by": blocker,
        "tags": (("city", "Ürümqi"),),
        "tenant": "acme",
        "roots": True,
        "matches": (Match(part="input", path=("a",), value='"needle"'),),
        "text": "needle",
        "since": kit.now,
        "until": kit.now,
    }
    await _both(kit, [chain], **wanted)
    await _both(kit, [waited_for, chain], **(wanted | {"roots": False}))
    await _both(kit, [cancelled], **(wanted | {"statuses": CLOSED}))
