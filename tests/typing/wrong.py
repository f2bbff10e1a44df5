"""Wrong uses; each line that ends in ``# wrong`` must be an error for both type checkers. Never run."""

from __future__ import annotations

from dataclasses import dataclass

import otelq


@dataclass(frozen=True)
class Order:
    number: str


@dataclass(frozen=True)
class Shipped:
    number: str


jobs = otelq.Jobs()
job_type = otelq.JobType("declared", input=Order, output=Shipped)


@jobs.job("ship")
async def ship(attempt: otelq.Attempt[Order]) -> Shipped:
    return Shipped(attempt.input.colour)  # wrong


@jobs.job("count")
async def count(attempt: otelq.Attempt[int]) -> int | otelq.Continue[int]:
    if attempt.number == 1:
        return attempt.continue_with(count, "one")  # wrong
    if attempt.number == 2:
        return attempt.continue_with(ship, Order("A-1"))  # wrong
    if attempt.number == 3:
        return otelq.Continue(count, None)  # wrong
    return "many"  # wrong


@jobs.job("continues")
async def continues(attempt: otelq.Attempt[None]) -> otelq.Continue[int]:
    return attempt.continue_with(ship, Order("A-1"))  # wrong


@jobs.handles(job_type)  # wrong
async def wrong_input(attempt: otelq.Attempt[int]) -> Shipped:
    return Shipped(str(attempt.input))


@jobs.handles(job_type)  # wrong
async def wrong_output(attempt: otelq.Attempt[Order]) -> int:
    return 1


@jobs.handles(job_type)  # wrong
def wrong_output_of_a_thread(attempt: otelq.Attempt[Order]) -> int:
    return 1


@jobs.job("threaded")
def threaded(attempt: otelq.Attempt[Order]) -> otelq.Continue[int]:
    return attempt.continue_with(ship, Order("A-1"))  # wrong


@jobs.job("no-such-executor", executor="thread")  # wrong
def no_such_executor(attempt: otelq.Attempt[int]) -> int:
    return 1


async def uses(client: otelq.Client) -> None:
    await client.start(ship, "A-1")  # wrong
    await client.start("ship", Order("A-1"))  # wrong
    await client.start(ship)  # wrong
    await client.start(ship, Order("A-1"), dedup="key")  # wrong
    await client.start(ship, Order("A-1"), delay="soon")  # wrong
    await client.start(ship, Order("A-1"), blockers=["0198c0de"])  # wrong
    await client.start_many(ship, [1, 2])  # wrong
    await client.start_many([Order("A-1")])  # wrong
    otelq.Start(count, "one")  # wrong
    chain = await client.start(ship, Order("A-1"))
    _number: int = await client.result(chain)  # wrong
    await client.result("0198c0de")  # wrong
    await client.complete(chain, Shipped("A-1"), step=count)  # this one is found when it runs
    await client.complete(chain, Shipped("A-1"))  # wrong
    otelq.Worker(client, ship)  # wrong
    _narrow: otelq.Chain[int] = chain  # wrong


async def asks(attempt: otelq.Attempt[None]) -> None:
    _numbers: list[int] = attempt.blockers(ship)  # wrong
    _order: int = attempt.get(Order)  # wrong
