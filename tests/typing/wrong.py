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


@jobs.job("loops")
async def loops(attempt: otelq.Attempt[int]) -> str | otelq.Continue[str]:
    if attempt.number == 1:
        return otelq.Continue(loops, attempt.input, delay="soon")  # wrong
    if attempt.number == 2:
        return attempt.continue_with(loops, attempt.input, blockers=["0198c0de"])  # wrong
    if attempt.number == 3:
        return attempt.continue_with("loops", 1)  # wrong
    return attempt.continue_with(count, attempt.input)  # wrong


@jobs.job("ping")
async def ping(attempt: otelq.Attempt[int]) -> otelq.Continue[bool]:
    return attempt.continue_with(pong, str(attempt.input))  # wrong


@jobs.job("pong")
async def pong(attempt: otelq.Attempt[int]) -> bool | otelq.Continue[bool]:
    return attempt.continue_with(loops, attempt.input)  # wrong


@jobs.handles("declared")  # wrong
async def handles_a_name(attempt: otelq.Attempt[Order]) -> Shipped:
    return Shipped(attempt.input.number)


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


async def starts(client: otelq.Client) -> None:
    chain = await client.start(ship, Order("A-1"))
    await client.start(ship, Order("A-1"), blockers=chain)  # wrong
    await client.start(ship, Order("A-1"), blockers=otelq.AnyOf("0198c0de"))  # wrong
    await client.start(ship, Order("A-1"), blockers=otelq.AllOf(chain, on_failure="hope"))  # wrong
    await client.start(ship, Order("A-1"), dedup=otelq.Dedup("key", scope="all"))  # wrong
    await client.start(ship, Order("A-1"), dedup=otelq.Dedup("key", exclude=[5]))  # wrong
    await client.start(ship, Order("A-1"), expires="1h")  # wrong
    await client.start(ship, Order("A-1"), tags=["vip"])  # wrong
    await client.start(ship, Order("A-1"), tenant=5)  # wrong
    await client.start(ship, Order("A-1"), dely=5)  # wrong
    otelq.Start(ship, Order("A-1"), dely=5)  # wrong
    otelq.Continue(ship, Order("A-1"), expires=5)  # wrong
    await client.start_many(count, ["one"])  # wrong
    await client.start_many([otelq.Start(ship, Order("A-1")), chain])  # wrong
    _text: otelq.Chain[str] = await client.copy(chain)  # wrong
    await client.copy(chain.id)  # wrong
    await client.copy(chain, tags={"a": "b"})  # wrong
    otelq.after_commit(print, tx=object())  # wrong
    client.after_commit(print)  # wrong


async def closes(client: otelq.Client, chain: otelq.Chain[Shipped]) -> None:
    await client.complete(chain, otelq.Continue(count, "one"), step=ship)  # wrong
    await client.complete("0198c0de", Shipped("A-1"), step=ship)  # wrong
    await client.complete(chain, Shipped("A-1"), step="ship")  # wrong
    await client.amend(chain, input=Order("A-1"))  # wrong
    await client.amend(chain, step=ship, input="A-1")  # wrong
    await client.amend(chain, step=ship, input=Order("A-1"), dely=5)  # wrong
    await client.lock(chain)  # wrong
    await client.redrive(ship)  # wrong
    await client.delete(chain, cascade="yes")  # wrong


async def finds(client: otelq.Client) -> None:
    await client.jobs(roots=True)  # wrong
    await client.chains(chain_type=ship)  # wrong
    await client.jobs(input=["customer"])  # wrong
    await client.jobs(since="yesterday")  # wrong
    await client.count(of="attempts")  # wrong
    await client.jobs(colour="red")  # wrong


async def asks(attempt: otelq.Attempt[None]) -> None:
    _numbers: list[int] = attempt.blockers(ship)  # wrong
    _order: int = attempt.get(Order)  # wrong


def rules(client: otelq.Client) -> None:
    otelq.RetryPolicy(backoff=5)  # wrong
    otelq.RetryPolicy(fail_on=(1,))  # wrong
    otelq.RetryPolicy(rules={ValueError: 5})  # wrong
    otelq.WaitFor("0198c0de")  # wrong
    otelq.Jobs(middleware=[otelq.Middleware])  # wrong
    otelq.Worker(client, jobs, middleware=[print])  # wrong
