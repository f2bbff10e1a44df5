"""What the type checkers must infer; checked, never run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, assert_type

import otelq
import otelq.testing


@dataclass(frozen=True)
class Order:
    number: str


@dataclass(frozen=True)
class Shipped:
    number: str


jobs = otelq.Jobs()


# Linear: a handler that only continues has the output of what it continues into.
@jobs.job("check")
async def check(attempt: otelq.Attempt[Order]) -> otelq.Continue[Shipped]:
    assert_type(attempt.input, Order)
    following = attempt.continue_with(ship, attempt.input.number, delay=5)
    assert_type(following, otelq.Continue[Shipped])
    return following


@jobs.job("ship", retry=otelq.RetryPolicy(max_attempts=5), timeout=None)
async def ship(attempt: otelq.Attempt[str]) -> Shipped:
    return Shipped(attempt.input)


# Branch: an output here, a continuation there.
@jobs.job("decide")
async def decide(attempt: otelq.Attempt[Order]) -> Shipped | otelq.Continue[Shipped]:
    if attempt.number > 1:
        return Shipped(attempt.input.number)
    return otelq.Continue(check, attempt.input, at=datetime.now(UTC), priority=-1)


# Loop: a job that continues into itself.
@jobs.job("count-down")
async def count_down(attempt: otelq.Attempt[int]) -> str | otelq.Continue[str]:
    return "lift-off" if attempt.input == 0 else attempt.continue_with(count_down, attempt.input - 1)


# Mutual recursion.
@jobs.job("ping")
async def ping(attempt: otelq.Attempt[int]) -> bool | otelq.Continue[bool]:
    return attempt.input == 0 or attempt.continue_with(pong, attempt.input - 1)


@jobs.job("pong")
async def pong(attempt: otelq.Attempt[int]) -> otelq.Continue[bool]:
    return attempt.continue_with(ping, attempt.input)


# An output that is a subtype will do where the chain yields the wider type.
@jobs.job("wide")
async def wide(attempt: otelq.Attempt[None]) -> object | otelq.Continue[object]:
    return attempt.continue_with(ship, "wide")


# Declared apart; the general form; nothing in, nothing out.
declared = otelq.JobType("declared", input=Order, output=Shipped)
general = otelq.JobType[Order, str | None]("general")
only_later = otelq.JobType("only-later", input=int, output=Shipped, entry=False)
nothing = otelq.JobType[None, None]("nothing")


@jobs.handles(declared, concurrency=3)
async def handle_declared(attempt: otelq.Attempt[Order]) -> Shipped | otelq.Continue[Shipped]:
    return attempt.continue_with(only_later, 1)


@jobs.handles(general)
async def handle_general(attempt: otelq.Attempt[Order]) -> str | None:
    return None


# Go-to: a job that continues into an earlier one.
@jobs.job("begin")
async def begin(attempt: otelq.Attempt[int]) -> otelq.Continue[str]:
    return attempt.continue_with(middle, attempt.input)


@jobs.job("middle")
async def middle(attempt: otelq.Attempt[int]) -> str | otelq.Continue[str]:
    return "done" if attempt.input else attempt.continue_with(begin, attempt.input + 1)


# Into a type that may only be continued into, with blockers of its own.
@jobs.job("waits")
async def waits(attempt: otelq.Attempt[otelq.Chain[Shipped] | None]) -> otelq.Continue[Shipped]:
    parts = [otelq.Chain(attempt.chain_id, ship), otelq.Chain(attempt.chain_id, count_down)]
    following = attempt.continue_with(only_later, 1, blockers=otelq.AnyOf(*parts, on_failure="wait"))
    assert_type(following, otelq.Continue[Shipped])
    return following


# A slice beside another.
others = otelq.Jobs()


@others.job("other")
async def other(attempt: otelq.Attempt[str]) -> Shipped | otelq.Continue[Shipped]:
    return attempt.continue_with(declared, Order(attempt.input))


# Fan-in.
@jobs.job("gather")
async def gather(attempt: otelq.Attempt[None]) -> int:
    assert_type(attempt.blockers(ship), list[Shipped])
    assert_type(attempt.blockers(general), list[str | None])
    assert_type(attempt.blocker_outcomes(), list[otelq.ChainOutcome])
    assert_type(attempt.headers, Mapping[str, str])
    assert_type(attempt.tenant, str | None)
    assert_type(attempt.blockers(count_down), list[str])
    assert_type(attempt.get(Order), Order)
    assert_type(attempt.cancel_reason, otelq.CancelReason | None)
    assert_type(attempt.stopping, asyncio.Event)
    async with attempt.transaction(Order) as order:
        assert_type(order, Order)
    assert_type(await attempt.completion(Order), Order)
    return 1


# Handlers that are plain functions, in threads and in processes.
@jobs.job("pack", soft_timeout=5)
def pack(attempt: otelq.Attempt[Order]) -> Shipped | otelq.Continue[Shipped]:
    assert_type(attempt.stop_reason, otelq.CancelReason | None)
    assert_type(attempt.time_left, float | None)
    return attempt.continue_with(ship, attempt.input.number)


@jobs.job("render", executor="process")
def render(attempt: otelq.Attempt[Order]) -> str:
    return attempt.input.number


@jobs.job("hand-over")
def hand_over(attempt: otelq.Attempt[Order]) -> otelq.Continue[str]:
    return attempt.continue_with(render, attempt.input)


@jobs.handles(otelq.JobType("declared-too", input=Order, output=Shipped))
def handle_in_a_thread(attempt: otelq.Attempt[Order]) -> Shipped:
    return Shipped(attempt.input.number)


assert_type(pack, otelq.JobType[Order, Shipped])
assert_type(render, otelq.JobType[Order, str])
assert_type(hand_over, otelq.JobType[Order, str])
assert_type(handle_in_a_thread, otelq.JobType[Order, Shipped])
assert_type(check, otelq.JobType[Order, Shipped])
assert_type(ship, otelq.JobType[str, Shipped])
assert_type(decide, otelq.JobType[Order, Shipped])
assert_type(count_down, otelq.JobType[int, str])
assert_type(ping, otelq.JobType[int, bool])
assert_type(pong, otelq.JobType[int, bool])
assert_type(begin, otelq.JobType[int, str])
assert_type(middle, otelq.JobType[int, str])
assert_type(waits, otelq.JobType[otelq.Chain[Shipped] | None, Shipped])
assert_type(other, otelq.JobType[str, Shipped])
assert_type(wide, otelq.JobType[None, object])
assert_type(declared, otelq.JobType[Order, Shipped])
assert_type(handle_declared, otelq.JobType[Order, Shipped])
assert_type(handle_general, otelq.JobType[Order, str | None])


async def uses(client: otelq.Client) -> None:
    chain = await client.start(check, Order("A-1"), delay=1)
    assert_type(chain, otelq.Chain[Shipped])
    assert_type(await client.result(chain, timeout=5), Shipped)
    assert_type(await client.start(count_down, 5), otelq.Chain[str])
    assert_type(await client.start(nothing, None), otelq.Chain[None])
    assert_type(await client.result(await client.start(general, Order("A-1"))), str | None)
    assert_type(await client.start_many(ship, ["a", "b"]), list[otelq.Chain[Shipped]])
    assert_type(
        await client.start_many([otelq.Start(check, Order("A-1")), otelq.Start(ship, "A-2", delay=3)]),
        list[otelq.Chain[Shipped]],
    )
    await client.start_many([otelq.Start(ship, "A-1"), otelq.Start(count_down, 1)])  # of different outputs
    await client.start(gather, None, blockers=[chain, await client.start(count_down, 1)])
    await client.complete(chain, Shipped("A-1"), step=check)
    await client.complete(chain, otelq.Continue(ship, "A-1"), step=check)
    assert_type(otelq.Chain("0198c0de-0000-7000-8000-000000000000", ship), otelq.Chain[Shipped])
    anything: otelq.Chain[object] = chain  # a chain of a subtype is a chain of the wider type
    await client.cancel(anything, chain.id)
    assert_type(await client.jobs(type=[ship, "check"], status="open"), otelq.Page[otelq.JobRecord])
    assert_type(await client.chain(chain), otelq.ChainRecord)
    assert_type(await client.attempts(f"{chain.id}.0"), list[otelq.AttemptRecord])


async def starts(client: otelq.Client) -> None:
    shipped, counted = await client.start(ship, "A-1"), await client.start(count_down, 1)
    await client.start(gather, None, blockers=otelq.AllOf(shipped, counted, on_failure="ignore"))
    await client.start(gather, None, blockers=otelq.AnyOf([shipped, counted]))
    await client.start(ship, "A-1", dedup=otelq.Dedup("k", scope="any", window=60, exclude=[shipped, counted.id]))
    await client.start(ship, "A-1", expires=60, headers={"h": "i"}, tenant="acme", request_id="r-1")
    options: otelq.StartOptions = {"delay": 5, "priority": None, "blockers": [counted], "tags": {"a": "b"}}
    assert_type(await client.start(ship, "A-1", tx=object(), **options), otelq.Chain[Shipped])
    assert_type(otelq.Start(ship, "A-1", **options), otelq.Start[Shipped])
    assert_type(await client.copy(shipped, delay=1), otelq.Chain[Shipped])
    assert_type(await client.copy(counted, dedup=otelq.Dedup("k")), otelq.Chain[str])
    assert_type(otelq.Start(check, Order("A-1"), tenant="acme").with_meta(request_id="r"), otelq.Start[Shipped])
    listed = [otelq.Start(check, Order("A-1")), otelq.Start(ship, "A-2")]
    assert_type(await client.start_many(listed, tx=object()), list[otelq.Chain[Shipped]])
    assert_type(await client.start_many(general, (Order(n) for n in "ab")), list[otelq.Chain[str | None]])


async def closes(client: otelq.Client, chain: otelq.Chain[Shipped]) -> None:
    await client.complete(chain, Shipped("A-1"), step=ship)
    await client.complete(chain, otelq.Continue(only_later, 1, blockers=[chain]), step=check)
    await client.amend(chain, step=check, input=Order("A-2"), delay=5)
    await client.amend(chain, step=nothing, input=None)
    await client.amend(chain.id, priority=5)
    await client.redrive(chain, chain.id)
    await client.take_over(chain, tx=object())
    await client.delete(chain, cascade=True)
    assert_type(await client.lock(chain, tx=object()), otelq.JobRecord)


async def asks(client: otelq.Client, chain: otelq.Chain[Shipped]) -> None:
    filters: otelq.JobFilters = {
        "type": [ship, "check"],
        "status": "open",
        "input": {"customer.id": 42, ("a.b", 0): None},
    }
    assert_type(await client.jobs(**filters, limit=5), otelq.Page[otelq.JobRecord])
    assert_type(await client.jobs(ids=["a.0"], chain_type=check, tags={"a": "b"}), otelq.Page[otelq.JobRecord])
    assert_type(
        await client.chains(ids=[chain, chain.id], roots=True, since=datetime.now(UTC), text="A-1", blocked_by=chain),
        otelq.Page[otelq.ChainRecord],
    )
    assert_type(await client.chain_jobs(chain, limit=5), otelq.Page[otelq.JobRecord])
    assert_type(await client.blockers("a.0"), list[otelq.ChainOutcome])
    assert_type(await client.count(status="failed"), otelq.Count)
    assert_type(await client.count(of="chains", roots=True), otelq.Count)
    assert_type((await client.explain(chain)).reasons, tuple[otelq.Reason, ...])
    assert_type([job async for job in client.iterate_jobs(**filters)], list[otelq.JobRecord])
    assert_type([each async for each in client.iterate_chains(roots=True)], list[otelq.ChainRecord])


async def serves(client: otelq.Client) -> None:
    async with otelq.Worker(client, jobs, others) as worker:
        assert_type(worker, otelq.Worker)


async def tests_a_handler() -> None:
    assert_type(await ship(otelq.testing.attempt("A-1")), Shipped | otelq.Continue[Shipped])


# Middleware, and waiting for chains that are found on the way.
class Timed(otelq.Middleware):
    async def attempt(self, attempt: otelq.Attempt[Any], call: Callable[[otelq.Attempt[Any]], Awaitable[Any]]) -> Any:
        attempt.provide(Order("A-1"), as_=Order)
        return await call(attempt)

    @asynccontextmanager
    async def transaction(self, attempt: otelq.Attempt[Any], tx: Any) -> AsyncGenerator[None]:
        yield

    async def start(
        self,
        starts: Sequence[otelq.Start[Any]],
        call: Callable[[Sequence[otelq.Start[Any]]], Awaitable[list[otelq.Chain[Any]]]],
    ) -> list[otelq.Chain[Any]]:
        return await call(starts)


slice_of_jobs = otelq.Jobs(middleware=[Timed()])


@slice_of_jobs.job("finds-out")
async def finds_out(attempt: otelq.Attempt[None]) -> Shipped | otelq.Continue[Shipped]:
    chain = await attempt.client.start(ship, "A-1")
    if attempt.number == 1:
        raise otelq.WaitFor(chain, await attempt.client.start(count_down, 1))
    if attempt.number == 2:
        raise otelq.WaitFor(otelq.AnyOf(chain))
    return attempt.continue_with(ship, "A-2", blockers=[chain])


def serves_with_middleware(client: otelq.Client) -> None:
    policy = otelq.RetryPolicy(
        backoff=lambda attempt: 2.0 * attempt, fail_on=(ValueError,), rules={OSError: otelq.RetryPolicy()}
    )
    assert_type(policy.max_attempts, int | None)
    otelq.Worker(client, jobs, slice_of_jobs, middleware=[Timed()], require_middleware=[Timed()])
