"""
Bad input at every public call: refused with a typed error that names the argument, before anything is written.

Each row is a call, what it is given, and the argument that the error must name.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, cast

import msgspec
import pytest

import otelq
from otelq.testing import attempt as make_attempt

from .support import ONCE, count, ended

NUL = "nul \0"
SURROGATE = "lone \ud800"
NAIVE = datetime(2030, 1, 1)
LARGE = "x" * (1 << 20)
MISSING = "0198c0de-0000-7000-8000-000000000000"


@dataclass(frozen=True)
class Mail:
    to: str
    copies: int = 1


jobs = otelq.Jobs()


@jobs.job("mail")
async def mail(attempt: otelq.Attempt[Mail]) -> str:
    return attempt.input.to


@jobs.job("anything", retry=ONCE)
async def anything(attempt: otelq.Attempt[Any]) -> Any:
    return attempt.input


later = otelq.JobType("only-later", input=int, output=str, entry=False)

CHAIN = otelq.Chain(MISSING, mail)

Given = dict[str, Any]


def row(argument: str, title: str, /, *given: Any, **options: Any) -> Any:
    """One row: what a call is given, and the argument that its error must name."""
    return pytest.param(given, options, argument, id=title)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


UNSTORABLE = [
    ("NUL", NUL),
    ("lone surrogate", SURROGATE),
    ("NaN", math.nan),
    ("infinity", [math.inf]),
    ("number beyond a double", 10**400),
    ("1e400000", msgspec.Raw(b"1e400000")),
    ("over the limit", LARGE),
    ("nested too deep", nested(300)),
    ("nested 20,000 deep", msgspec.Raw(b"[" * 20_000 + b"]" * 20_000)),
    ("no JSON", object()),
    ("bytes that are no JSON", msgspec.Raw(b"{")),
    ("keys that collide with NUL", {NUL: 1}),
]

BAD_OPTIONS = [
    row("id", "no UUID", mail, Mail("a"), id="seven"),
    row("id", "another version", mail, Mail("a"), id="7b3c1f9e-52f0-4c7e-8ad0-5e9d8d3ce0a1"),
    row("id", "no text", mail, Mail("a"), id=7),
    row("delay", "negative", mail, Mail("a"), delay=-1),
    row("delay", "NaN", mail, Mail("a"), delay=math.nan),
    row("delay", "infinite", mail, Mail("a"), delay=math.inf),
    row("delay", "beyond ten years", mail, Mail("a"), delay=1e12),
    row("delay", "text", mail, Mail("a"), delay="5"),
    row("delay", "truth", mail, Mail("a"), delay=True),
    row("at", "naive", mail, Mail("a"), at=NAIVE),
    row("at", "text", mail, Mail("a"), at="tomorrow"),
    row("at", "beside delay", mail, Mail("a"), at=datetime.now(UTC), delay=1),
    row("at", "after the end of time", mail, Mail("a"), at=datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))),
    row("priority", "too large", mail, Mail("a"), priority=101),
    row("priority", "too small", mail, Mail("a"), priority=-101),
    row("priority", "fraction", mail, Mail("a"), priority=1.5),
    row("dedup", "text", mail, Mail("a"), dedup="key"),
    row("dedup.key", "empty", mail, Mail("a"), dedup=otelq.Dedup("")),
    row("dedup.key", "NUL", mail, Mail("a"), dedup=otelq.Dedup(NUL)),
    row("dedup.key", "lone surrogate", mail, Mail("a"), dedup=otelq.Dedup(SURROGATE)),
    row("dedup.key", "too long", mail, Mail("a"), dedup=otelq.Dedup("x" * 513)),
    row("dedup.key", "number", mail, Mail("a"), dedup=otelq.Dedup(cast(Any, 5))),
    row("dedup.scope", "unknown", mail, Mail("a"), dedup=otelq.Dedup("k", scope=cast(Any, "all"))),
    row("dedup.window", "nothing", mail, Mail("a"), dedup=otelq.Dedup("k", window=0)),
    row("dedup.window", "text", mail, Mail("a"), dedup=otelq.Dedup("k", window=cast(Any, "1h"))),
    row("dedup.window", "NaN", mail, Mail("a"), dedup=otelq.Dedup("k", window=math.nan)),
    row("dedup.exclude", "no id", mail, Mail("a"), dedup=otelq.Dedup("k", exclude=["seven"])),
    row("dedup.exclude", "an id alone", mail, Mail("a"), dedup=otelq.Dedup("k", exclude=MISSING)),
    row("dedup.exclude", "a chain alone", mail, Mail("a"), dedup=otelq.Dedup("k", exclude=cast(Any, CHAIN))),
    row("dedup.exclude", "a number", mail, Mail("a"), dedup=otelq.Dedup("k", exclude=cast(Any, 5))),
    row("dedup.exclude", "too many", mail, Mail("a"), dedup=otelq.Dedup("k", exclude=[MISSING] * 1_001)),
    row("blockers", "twice", mail, Mail("a"), blockers=[otelq.Chain(MISSING, mail)] * 2),
    row("blockers", "ids", mail, Mail("a"), blockers=[MISSING]),
    row("blockers", "itself", mail, Mail("a"), id=MISSING, blockers=[otelq.Chain(MISSING, mail)]),
    row("blockers", "a chain alone", mail, Mail("a"), blockers=otelq.Chain(MISSING, mail)),
    row("blockers", "itself, of all", mail, Mail("a"), id=MISSING, blockers=otelq.AllOf(CHAIN)),
    row("blockers", "itself, of any", mail, Mail("a"), id=MISSING, blockers=otelq.AnyOf(CHAIN)),
    row("blockers", "of a type that is only continued into", mail, Mail("a"), blockers=[otelq.Chain(MISSING, later)]),
    row("blockers", "text", mail, Mail("a"), blockers="blockers"),
    row("blockers", "nothing", mail, Mail("a"), blockers=None),
    row("blockers", "nothing among them", mail, Mail("a"), blockers=[None]),
    row("blockers", "a start", mail, Mail("a"), blockers=[otelq.Start(mail, Mail("a"))]),
    row("blockers", "a job type", mail, Mail("a"), blockers=[mail]),
    row("expires", "zero", mail, Mail("a"), expires=0),
    row("expires", "text", mail, Mail("a"), expires="1h"),
    row("expires", "NaN", mail, Mail("a"), expires=math.nan),
    row("expires", "before it is due", mail, Mail("a"), delay=60, expires=60),
    row("headers", "too many", mail, Mail("a"), headers={str(n): "x" for n in range(33)}),
    row("headers", "NUL", mail, Mail("a"), headers={NUL: "x"}),
    row("headers", "an empty name", mail, Mail("a"), headers={"": "x"}),
    row("headers['k']", "lone surrogate", mail, Mail("a"), headers={"k": SURROGATE}),
    row("headers['k']", "too long", mail, Mail("a"), headers={"k": "x" * 513}),
    row("headers", "list", mail, Mail("a"), headers=["k"]),
    row("tenant", "empty", mail, Mail("a"), tenant=""),
    row("tenant", "too long", mail, Mail("a"), tenant="x" * 201),
    row("tenant", "NUL", mail, Mail("a"), tenant=NUL),
    row("tenant", "number", mail, Mail("a"), tenant=5),
    row("request_id", "empty", mail, Mail("a"), request_id=""),
    row("request_id", "too long", mail, Mail("a"), request_id="x" * 201),
    row("request_id", "number", mail, Mail("a"), request_id=5),
    row("tags", "too many", mail, Mail("a"), tags={str(n): "x" for n in range(33)}),
    row("tags", "NUL", mail, Mail("a"), tags={NUL: "x"}),
    row("tags['k']", "number", mail, Mail("a"), tags={"k": 5}),
    row("tags", "a line break", mail, Mail("a"), tags={"a\nb": "x"}),
    row("tags['k']", "an escape", mail, Mail("a"), tags={"k": "\x1b[2J"}),
    row("headers['k']", "a line break", mail, Mail("a"), headers={"k": "a\r\nb: c"}),
    row("tenant", "a line separator", mail, Mail("a"), tenant="a\u2028b"),
    row("request_id", "a line break", mail, Mail("a"), request_id="7\nERROR forged"),
    row("request_id", "turned round", mail, Mail("a"), request_id="\u202eabc"),
    row("tags", "list", mail, Mail("a"), tags=["k"]),
    row("job_type", "a name", "mail", Mail("a")),
    row("job_type", "a function", print, Mail("a")),
    row("job_type", "continued into only", later, 1),
]

BAD_INPUTS = [
    row("input", "of another type", mail, "a"),
    row("input", "a field of another type", mail, Mail(cast(Any, 5))),
    row("input", "nothing", mail, None),
    row("input", "type without input", otelq.JobType("undeclared"), 1),
    *(row("input", name, anything, value) for name, value in UNSTORABLE),
]


async def refused(client: otelq.Client, argument: str, call: Callable[[], Awaitable[object]]) -> None:
    """Make the call and expect an error about the argument, and nothing written."""
    before = await count(client)
    with pytest.raises(otelq.InvalidArgument) as error:
        await call()
    named = error.value.argument
    assert named == argument or named.endswith(f".{argument}"), str(error.value)
    assert await count(client) == before


@pytest.mark.parametrize("given, options, argument", [*BAD_OPTIONS, *BAD_INPUTS])
async def test_start_refuses(memory: otelq.Client, given: Any, options: Given, argument: str) -> None:
    await refused(memory, argument, lambda: memory.start(*given, **options))


@pytest.mark.parametrize("given, options, argument", BAD_OPTIONS)
def test_a_start_value_refuses(given: Any, options: Given, argument: str) -> None:
    with pytest.raises(otelq.InvalidArgument) as error:
        otelq.Start(*given, **options)
    assert error.value.argument == argument


@pytest.mark.parametrize("given, options, argument", BAD_INPUTS)
async def test_start_many_refuses_all_for_one(memory: otelq.Client, given: Any, options: Given, argument: str) -> None:
    starts = [otelq.Start(mail, Mail("good")), otelq.Start(*given, **options)]
    await refused(memory, argument, lambda: memory.start_many(starts))


@pytest.mark.parametrize("value", [value for _, value in UNSTORABLE], ids=[name for name, _ in UNSTORABLE])
async def test_start_many_names_the_place_of_the_bad_input(memory: otelq.Client, value: Any) -> None:
    with pytest.raises(otelq.InvalidArgument) as error:
        await memory.start_many(anything, [1, 2, value])
    assert error.value.argument == "inputs[2]"
    assert await count(memory) == 0


@pytest.mark.parametrize(
    "given, options, argument",
    [
        row("inputs", "no inputs", mail),
        row("inputs", "inputs that are none", mail, 5),
        row("starts", "nothing to start", 5),
        row("starts", "inputs without a type", [Mail("a")]),
        row("job_type", "a name", "mail", [Mail("a")]),
        row("job_type", "continued into only", later, [1]),
        row("tx", "no transaction", mail, [Mail("a")], tx="BEGIN"),
    ],
)
async def test_start_many_refuses(memory: otelq.Client, given: Any, options: Given, argument: str) -> None:
    await refused(memory, argument, lambda: memory.start_many(*given, **options))


async def test_a_blocker_that_does_not_exist_is_not_found(client: otelq.Client) -> None:
    with pytest.raises(otelq.NotFound, match=MISSING):
        await client.start(mail, Mail("a"), blockers=[otelq.Chain(MISSING, mail)])
    assert await count(client) == 0


@pytest.mark.parametrize("rule", [otelq.AllOf, otelq.AnyOf])
@pytest.mark.parametrize(
    "given, options, argument",
    [
        row("chains", "an id", MISSING),
        row("chains", "a number", 5),
        row("chains", "twice", CHAIN, CHAIN),
        row("chains", "twice in a list", [CHAIN, CHAIN]),
        row("chains", "two lists", [CHAIN], [CHAIN]),
        row("chains", "an id in a list", [MISSING]),
        row("chains", "nothing", None),
        row("chains", "of a type that is only continued into", otelq.Chain(MISSING, later)),
        row("on_failure", "unknown", CHAIN, on_failure="hope"),
        row("on_failure", "truth", CHAIN, on_failure=True),
    ],
)
def test_what_is_waited_for_is_refused(rule: Any, given: Any, options: Given, argument: str) -> None:
    with pytest.raises(otelq.InvalidArgument) as error:
        rule(*given, **options)
    assert error.value.argument == argument


@pytest.mark.parametrize("given", [(), ([],)], ids=["nothing", "an empty list"])
def test_any_of_none_is_refused(given: Any) -> None:
    with pytest.raises(otelq.InvalidArgument, match="never be met"):
        otelq.AnyOf(*given)


BAD_CONTINUATIONS = [
    row("job_type", "a name", "mail", Mail("a")),
    row("delay", "negative", mail, Mail("a"), delay=-1),
    row("at", "naive", mail, Mail("a"), at=NAIVE),
    row("at", "beside delay", mail, Mail("a"), at=datetime.now(UTC), delay=1),
    row("priority", "too large", mail, Mail("a"), priority=101),
    row("priority", "too small", mail, Mail("a"), priority=-101),
    row("blockers", "ids", mail, Mail("a"), blockers=[MISSING]),
    row("blockers", "twice", mail, Mail("a"), blockers=[CHAIN, CHAIN]),
    row("blockers", "of a type that is only continued into", mail, Mail("a"), blockers=[otelq.Chain(MISSING, later)]),
]


@pytest.mark.parametrize("given, options, argument", BAD_CONTINUATIONS)
def test_a_continuation_refuses(given: Any, options: Given, argument: str) -> None:
    for make in (otelq.Continue, cast(Any, make_attempt(None)).continue_with):
        with pytest.raises(otelq.InvalidArgument) as error:
            cast(Any, make)(*given, **options)
        assert error.value.argument == argument


@pytest.mark.parametrize("value", [value for _, value in UNSTORABLE], ids=[name for name, _ in UNSTORABLE])
async def test_complete_refuses_an_outcome_that_cannot_be_stored(memory: otelq.Client, value: Any) -> None:
    chain = await memory.start(anything, 1)
    for outcome in (value, otelq.Continue(anything, value)):
        await refused(memory, "outcome", lambda given=outcome: memory.complete(chain, given, step=anything))  # type: ignore[misc]
    assert (await memory.chain(chain)).tail.status == "ready"


@pytest.mark.parametrize(
    "given, options, argument",
    [
        row("step", "a name", MISSING, 1, step="anything"),
        row("chain", "no id", "seven", 1, step=anything),
        row("chain", "no text", 7, 1, step=anything),
        row("tx", "no transaction", MISSING, 1, step=anything, tx="BEGIN"),
    ],
)
async def test_complete_refuses(memory: otelq.Client, given: Any, options: Given, argument: str) -> None:
    await refused(memory, argument, lambda: memory.complete(*given, **options))


NO_CHAINS = [("no id", "seven"), ("empty", ""), ("no text", 7), ("NUL", NUL), ("nothing", None)]


VERBS = ["trigger", "cancel", "redrive", "take_over", "delete"]


@pytest.mark.parametrize("verb", [*VERBS, "chain", "chain_jobs"])
@pytest.mark.parametrize("value", [value for _, value in NO_CHAINS], ids=[name for name, _ in NO_CHAINS])
async def test_what_is_no_chain_is_refused(memory: otelq.Client, verb: str, value: Any) -> None:
    await refused(memory, "chain", lambda: getattr(memory, verb)(value))


@pytest.mark.parametrize("verb", [*VERBS, "chain", "chain_jobs", "explain"])
async def test_a_chain_that_does_not_exist_is_not_found(client: otelq.Client, verb: str) -> None:
    chain = await client.start(mail, Mail("a"), delay=3600)
    with pytest.raises(otelq.NotFound, match=MISSING):
        await getattr(client, verb)(MISSING)
    assert (await client.chain(chain)).tail.status == "scheduled"


@pytest.mark.parametrize("verb", VERBS)
async def test_a_transaction_that_is_none_is_refused(memory: otelq.Client, verb: str) -> None:
    chain = await memory.start(mail, Mail("a"), delay=3600)
    await refused(memory, "tx", lambda: getattr(memory, verb)(chain, tx="BEGIN"))


@pytest.mark.parametrize("timeout", [-1, math.nan, "5", True])
async def test_result_refuses_a_timeout(memory: otelq.Client, timeout: Any) -> None:
    chain = await memory.start(mail, Mail("a"))
    await refused(memory, "timeout", lambda: memory.result(chain, timeout=timeout))


async def test_result_refuses_an_id_which_does_not_tell_the_type(memory: otelq.Client) -> None:
    await refused(memory, "chain", lambda: memory.result(cast(Any, MISSING)))


@pytest.mark.parametrize("id", ["seven", MISSING, f"{MISSING}.", f"{MISSING}.x", f"{MISSING}.99999999999", "x.0", 7])
async def test_the_id_of_a_job_that_is_none_is_refused(memory: otelq.Client, id: Any) -> None:
    await refused(memory, "job_id", lambda: memory.job(id))
    await refused(memory, "job_id", lambda: memory.attempts(id))
    await refused(memory, "job_id", lambda: memory.blockers(id))
    await refused(memory, "ids", lambda: memory.jobs(ids=[id]))


async def test_a_job_that_does_not_exist_is_not_found(client: otelq.Client) -> None:
    chain = await client.start(mail, Mail("a"))
    for id in (f"{MISSING}.0", f"{chain.id}.1"):
        with pytest.raises(otelq.NotFound):
            await client.job(id)


async def test_copy_refuses_an_id_which_does_not_tell_the_type(memory: otelq.Client) -> None:
    await refused(memory, "chain", lambda: memory.copy(cast(Any, MISSING)))


@pytest.mark.parametrize(
    "given, options, argument",
    [
        row("id", "no UUID", id="seven"),
        row("delay", "negative", delay=-1),
        row("at", "naive", at=NAIVE),
        row("priority", "too large", priority=101),
        row("priority", "too small", priority=-101),
        row("dedup.key", "empty", dedup=otelq.Dedup("")),
        row("tx", "no transaction", tx="BEGIN"),
    ],
)
async def test_copy_refuses(memory: otelq.Client, given: Any, options: Given, argument: str) -> None:
    chain = await memory.start(mail, Mail("a"))
    await refused(memory, argument, lambda: memory.copy(chain, **options))


@pytest.mark.parametrize("ask", ["jobs", "chains"])
@pytest.mark.parametrize(
    "given, options, argument",
    [
        row("limit", "more than a page", limit=1_001),
        row("after", "no key", after="seven"),
        row("after", "NUL", after=NUL),
        row("after", "number", after=5),
    ],
)
async def test_a_page_refuses(memory: otelq.Client, ask: str, given: Any, options: Given, argument: str) -> None:
    await refused(memory, argument, lambda: getattr(memory, ask)(**options))


@pytest.mark.parametrize(
    "ask, options, argument",
    [
        ("jobs", {"ids": [f"{MISSING}.0"], "after": f"{MISSING}.0"}, "after"),
        ("jobs", {"roots": True}, "roots"),
        ("jobs", {"chain_type": 5}, "chain_type"),
        ("chains", {"chain_type": "mail"}, "chain_type"),
        ("chains", {"roots": "yes"}, "roots"),
        ("chains", {"ids": [otelq.new_id() for _ in range(1_001)]}, "ids"),
        ("count", {"of": "attempts"}, "of"),
        ("count", {"ids": [f"{MISSING}.0"]}, "ids"),
        ("count", {"of": "chains", "chain_type": "mail"}, "chain_type"),
        ("count", {"after": MISSING}, "after"),
    ],
)
async def test_a_question_refuses_what_is_not_for_it(
    memory: otelq.Client, ask: str, options: Given, argument: str
) -> None:
    await refused(memory, argument, lambda: getattr(memory, ask)(**options))


@pytest.mark.parametrize("ask", ["jobs", "chains", "count"])
@pytest.mark.parametrize(
    "given, options, argument",
    [
        row("limit", "zero", limit=0),
        row("limit", "too many", limit=100_001),
        row("limit", "text", limit="5"),
        row("limit", "fraction", limit=1.5),
        row("status", "unknown", status="asleep"),
        row("status", "one unknown of two", status=["ready", "asleep"]),
        row("status", "number", status=5),
        row("status", "list in a list", status=[["ready"]]),
        row("type", "number", type=5),
        row("type", "a number in a list", type=[mail, 5]),
        row("type", "NUL", type=NUL),
        row("type", "lone surrogate", type=SURROGATE),
        row("chain", "no id", chain="seven"),
        row("type", "no list", type=[[mail]]),
        row("queue", "number", queue=5),
        row("queue", "NUL", queue=["mail", NUL]),
        row("tags", "list", tags=["k"]),
        row("tags['k']", "NUL", tags={"k": NUL}),
        row("tags", "too many", tags={str(n): "x" for n in range(33)}),
        row("tenant", "empty", tenant=""),
        row("tenant", "number", tenant=5),
        row("since", "naive", since=NAIVE),
        row("since", "text", since="yesterday"),
        row("until", "naive", until=NAIVE),
        row("until", "before the end of time", until=datetime.max.replace(tzinfo=timezone(timedelta(hours=-5)))),
        row("since", "later than until", since=datetime.now(UTC), until=datetime.now(UTC) - timedelta(days=1)),
        row("input", "no dict", input="customer"),
        row("input", "an empty path", input={"": 1}),
        row("input", "an empty key in a path", input={"customer..id": 1}),
        row("input", "an empty tuple", input={(): 1}),
        row("input", "a path too deep", input={("k",) * 33: 1}),
        row("input", "a number as path", input={5: 1}),
        row("input", "a fraction in a path", input={("k", 1.5): 1}),
        row("input", "a negative index", input={("k", -1): 1}),
        row("input", "truth in a path", input={("k", True): 1}),
        row("input", "NUL in a path", input={NUL: 1}),
        row("input", "too many paths", input={str(n): 1 for n in range(17)}),
        row("input['k']", "NaN", input={"k": math.nan}),
        row("output['k']", "no JSON", output={"k": object()}),
        row("output", "no dict", output=[1]),
        row("text", "empty", text=""),
        row("text", "NUL", text=NUL),
        row("text", "number", text=5),
        row("text", "too long", text="x" * 513),
        row("blocked_by", "no id", blocked_by="seven"),
        row("ids", "text", ids=MISSING),
        row("ids", "number", ids=5),
        row("ids", "no id", ids=["seven"]),
        row("ids", "too many", ids=[f"{otelq.new_id()}.0" for _ in range(1_001)]),
        row("ids", "beside chain", ids=[f"{MISSING}.0"], chain=MISSING),
        row("colour", "no filter", colour="red"),
    ],
)
async def test_a_question_refuses(memory: otelq.Client, ask: str, given: Any, options: Given, argument: str) -> None:
    await refused(memory, argument, lambda: getattr(memory, ask)(**options))


@pytest.mark.parametrize(
    "given, options, argument",
    [
        row("target", "no URL", "jobs.db"),
        row("target", "unknown scheme", "carrier-pigeon://roof"),
        row("target", "nothing", None),
        row("target", "number", 5),
        row("notify", "no URL", "memory://", notify="somewhere"),
        row("notify", "unknown scheme", "memory://", notify="carrier-pigeon://roof"),
        row("notify", "number", "memory://", notify=5),
        row("schema", "empty", "memory://", schema=""),
        row("schema", "too long", "memory://", schema="x" * 49),
        row("schema", "NUL", "memory://", schema=NUL),
        row("schema", "a quote", "memory://", schema='x"; drop table x; --'),
        row("schema", "number", "memory://", schema=5),
        row("max_payload", "too small", "memory://", max_payload=10),
        row("max_payload", "text", "memory://", max_payload="1 MiB"),
        row("baggage", "text", "memory://", baggage="tenant"),
        row("baggage", "numbers", "memory://", baggage=[5]),
        row("colour", "an option that there is not", "memory://", colour="red"),
        row("colour", "an option that there is not, of SQLite", "sqlite://", colour="red"),
    ],
)
def test_connect_refuses(given: Any, options: Given, argument: str) -> None:
    with pytest.raises(otelq.InvalidArgument) as error:
        otelq.connect(*given, **options)
    assert error.value.argument == argument


@pytest.mark.parametrize(
    "given, options, argument",
    [
        row("jobs", "no jobs"),
        row("jobs", "an empty collection", otelq.Jobs()),
        row("jobs", "a job type", mail),
        row("jobs", "the same twice", jobs, jobs),
        row("concurrency", "zero", jobs, concurrency=0),
        row("concurrency", "text", jobs, concurrency="10"),
        row("concurrency", "fraction", jobs, concurrency=1.5),
        row("max_crashes", "zero", jobs, max_crashes=0),
        row("poll_interval", "zero", jobs, poll_interval=0),
        row("poll_interval", "NaN", jobs, poll_interval=math.nan),
        row("reap_interval", "negative", jobs, reap_interval=-1),
        row("grace", "negative", jobs, grace=-1),
        row("grace", "text", jobs, grace="long"),
        row("name", "empty", jobs, name=""),
        row("name", "NUL", jobs, name=NUL),
        row("name", "an escape", jobs, name="a\x1b[2J"),
        row("provide", "two of a type", jobs, provide=["a", "b"]),
        row("provide", "no list", jobs, provide=5),
        row("undecodable_for", "negative", jobs, undecodable_for=-1),
        row("undecodable_for", "nothing", jobs, undecodable_for=None),
        row("queues", "text", jobs, queues="default"),
        row("queues", "number", jobs, queues=5),
        row("queues", "empty", jobs, queues=[]),
        row("queues", "unknown", jobs, queues=["default", "none"]),
        row("queues", "NUL", jobs, queues=[NUL]),
    ],
)
async def test_a_worker_refuses(memory: otelq.Client, given: Any, options: Given, argument: str) -> None:
    with pytest.raises(otelq.InvalidArgument) as error:
        otelq.Worker(memory, *given, **options)
    assert error.value.argument == argument


def test_a_worker_refuses_what_is_no_client() -> None:
    with pytest.raises(otelq.InvalidArgument, match="client"):
        otelq.Worker(cast(Any, "memory://"), jobs)


BAD_DECLARATIONS = [
    row("retry", "a number", retry=3),
    row("lease", "under a second", lease=0.5),
    row("lease", "nothing", lease=None),
    row("timeout", "zero", timeout=0),
    row("timeout", "text", timeout="1h"),
    row("concurrency", "zero", concurrency=0),
    row("concurrency", "text", concurrency="1"),
    row("concurrency", "fraction", concurrency=1.5),
]


@pytest.mark.parametrize("unknown", ["mail", print, None])
def test_a_handler_of_what_is_no_job_type_is_refused(unknown: Any) -> None:
    with pytest.raises(otelq.InvalidArgument, match="job_type"):
        otelq.Jobs().handles(unknown)(lambda attempt: None)


@pytest.mark.parametrize("given, options, argument", BAD_DECLARATIONS)
def test_a_declaration_refuses(given: Any, options: Given, argument: str) -> None:
    async def handler(attempt: otelq.Attempt[int]) -> str:
        return ""

    for declare in (otelq.Jobs().job("name", **options), otelq.Jobs().handles(later, **options)):
        with pytest.raises(otelq.InvalidArgument) as error:
            declare(handler)
        assert error.value.argument == argument


@pytest.mark.parametrize(
    "given, options, argument",
    [
        row("name", "empty", ""),
        row("name", "NUL", NUL),
        row("name", "a forged line", "a\x1b[2J\nERROR forged\r"),
        row("name", "lone surrogate", SURROGATE),
        row("name", "too long", "x" * 201),
        row("name", "number", 5),
        row("queue", "empty", "name", queue=""),
        row("queue", "NUL", "name", queue=NUL),
        row("queue", "a line break", "name", queue="a\nb"),
        row("trace", "unknown", "name", trace="sometimes"),
    ],
)
def test_a_job_type_refuses(given: Any, options: Given, argument: str) -> None:
    with pytest.raises(otelq.InvalidArgument) as error:
        otelq.JobType(*given, **options)
    assert error.value.argument == argument


@pytest.mark.parametrize(
    "given, options, argument",
    [
        row("max_attempts", "zero", max_attempts=0),
        row("max_attempts", "text", max_attempts="3"),
        row("max_attempts", "fraction", max_attempts=2.5),
        row("initial", "negative", initial=-1),
        row("initial", "text", initial="1s"),
        row("factor", "under one", factor=0.5),
        row("max", "infinite", max=math.inf),
        row("jitter", "over one", jitter=1.5),
        row("jitter", "NaN", jitter=math.nan),
    ],
)
def test_a_retry_policy_refuses(given: Any, options: Given, argument: str) -> None:
    with pytest.raises(otelq.InvalidArgument) as error:
        otelq.RetryPolicy(**options)
    assert error.value.argument == argument


@pytest.mark.parametrize("delay", [-1, math.nan, math.inf, 1e12, "5", None])
@pytest.mark.parametrize("decision", [otelq.RetryAfter, otelq.Snooze])
def test_a_decision_refuses_a_delay(decision: Any, delay: Any) -> None:
    with pytest.raises(otelq.InvalidArgument, match="delay"):
        decision(delay)


@pytest.mark.parametrize("id", ["", NUL, "seven", 7, None])
def test_a_chain_refuses_an_id(id: Any) -> None:
    with pytest.raises(otelq.InvalidArgument, match="id"):
        otelq.Chain(id, mail)


def test_a_chain_refuses_a_name_in_place_of_its_type() -> None:
    with pytest.raises(otelq.InvalidArgument, match="job_type"):
        otelq.Chain(MISSING, cast(Any, "mail"))


@pytest.mark.parametrize("value", [value for _, value in UNSTORABLE], ids=[name for name, _ in UNSTORABLE])
async def test_an_output_that_cannot_be_stored_fails_its_attempt(memory: otelq.Client, value: Any) -> None:
    handlers = otelq.Jobs()

    @handlers.job("returns", retry=ONCE)
    async def returns(attempt: otelq.Attempt[None]) -> Any:
        return value

    async with otelq.Worker(memory, handlers):
        job = await ended(memory, await memory.start(returns, None))
    assert (job.status, job.output) == ("failed", None)
    assert job.failure is not None
    assert job.failure.text.startswith("return value: ")


@pytest.mark.parametrize("name", ["start", "copy", "amend"])
async def test_a_call_refuses_an_option_that_it_does_not_have(memory: otelq.Client, name: str) -> None:
    given = (mail, Mail("ada")) if name == "start" else (CHAIN,)
    with pytest.raises(TypeError, match=r"'dely' is no option; known are at, .*delay, "):
        await getattr(memory, name)(*given, dely=5)


@pytest.mark.parametrize(
    "make", [otelq.Start, otelq.Start(mail, Mail("ada")).with_meta, otelq.Continue, make_attempt(None).continue_with]
)
def test_a_value_refuses_an_option_that_it_does_not_have(make: Callable[..., Any]) -> None:
    given = () if getattr(make, "__name__", "") == "with_meta" else (mail, Mail("ada"))
    with pytest.raises(TypeError, match="'dely' is no option; known are "):
        make(*given, dely=5)
