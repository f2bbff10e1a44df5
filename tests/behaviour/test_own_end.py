"""A handler that ends its own chain in the transaction of its completion: once, and in one commit with its writes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

import otelq

from .support import AT_ONCE, RollBack, ended, statuses
from .test_completion import other, others, started

Act = Callable[[otelq.Client, otelq.Chain[Any], Any], Awaitable[object]]


def selfish(act: Act, returned: object = "dropped") -> tuple[otelq.Jobs, otelq.JobType[None, str], list[int]]:
    """A job whose handler does something to its own chain with its completion, and returns something else."""
    jobs, attempts = otelq.Jobs(), list[int]()

    @jobs.job("selfish", retry=AT_ONCE, lease=3600)
    async def handler(attempt: otelq.Attempt[None]) -> str:
        attempts.append(attempt.number)
        if len(attempts) > 1:
            return "a second time"
        tx = await attempt.completion()
        await attempt.client.start(other, 1, tx=tx)
        await act(attempt.client, otelq.Chain(attempt.chain_id, handler), tx)
        return returned  # type: ignore[return-value]  # pyright: ignore[reportReturnType]  # it may not fit

    return jobs, handler, attempts


async def ends_as(client: otelq.Client, act: Act, *, returned: object = "dropped") -> otelq.JobRecord:
    """The tail of the chain of such a job."""
    jobs, handler, attempts = selfish(act, returned)
    async with otelq.Worker(client, jobs, others, poll_interval=0.05):
        tail = await ended(client, await client.start(handler, None))
    assert (attempts, tail.crashes, await started(client)) == ([1], 0, ["1"])
    return tail


async def test_a_handler_may_cancel_its_own_chain_in_its_completion(client: otelq.Client) -> None:
    tail = await ends_as(client, lambda client, chain, tx: client.cancel(chain, tx=tx))
    assert tail.status == "cancelled"


async def test_a_handler_may_complete_its_own_chain_in_its_completion(client: otelq.Client) -> None:
    async def complete(client: otelq.Client, chain: otelq.Chain[Any], tx: Any) -> None:
        await client.complete(chain, "by itself", step=otelq.JobType[None, str]("selfish"), tx=tx)

    tail = await ends_as(client, complete)
    assert (tail.status, tail.output) == ("completed", '"by itself"')


async def test_a_handler_may_continue_its_own_chain_in_its_completion(client: otelq.Client) -> None:
    async def go_on(client: otelq.Client, chain: otelq.Chain[Any], tx: Any) -> None:
        await client.complete(chain, otelq.Continue(echo, "on"), step=otelq.JobType[None, str]("selfish"), tx=tx)

    jobs, handler, attempts = selfish(go_on)

    @jobs.job("echo")
    async def echo(attempt: otelq.Attempt[str]) -> str:
        return attempt.input

    async with otelq.Worker(client, jobs, others, poll_interval=0.05):
        chain = await client.start(handler, None)
        tail = await ended(client, chain)
    assert (attempts, tail.type, tail.output) == ([1], "echo", '"on"')
    assert await statuses(client, chain) == ["continued", "completed"]


async def test_a_handler_may_delete_its_own_chain_in_its_completion(client: otelq.Client) -> None:
    jobs, handler, attempts = selfish(lambda client, chain, tx: client.delete(chain, tx=tx))
    async with otelq.Worker(client, jobs, others, poll_interval=0.05):
        chain = await client.start(handler, None)
        with pytest.raises(otelq.NotFound):
            await client.result(chain)
        assert (attempts, await started(client)) == ([1], ["1"])


async def test_a_handler_may_give_its_own_job_to_the_next_attempt_in_its_completion(client: otelq.Client) -> None:
    jobs, handler, attempts = selfish(lambda client, chain, tx: client.take_over(chain, tx=tx))
    async with otelq.Worker(client, jobs, others, poll_interval=0.05):
        tail = await ended(client, await client.start(handler, None))
    assert (attempts, tail.status, tail.output, tail.crashes) == ([1, 2], "completed", '"a second time"', 0)


async def test_a_handler_may_cancel_and_redrive_its_own_chain_in_its_completion(client: otelq.Client) -> None:
    async def over(client: otelq.Client, chain: otelq.Chain[Any], tx: Any) -> None:
        await client.cancel(chain, tx=tx)
        await client.redrive(chain, tx=tx)

    jobs, handler, attempts = selfish(over)
    async with otelq.Worker(client, jobs, others, poll_interval=0.05):
        tail = await ended(client, await client.start(handler, None))
    assert (attempts, tail.status, tail.output) == ([1, 1], "completed", '"a second time"')


async def test_a_return_value_that_does_not_fit_is_dropped_after_an_own_end(client: otelq.Client) -> None:
    tail = await ends_as(client, lambda client, chain, tx: client.cancel(chain, tx=tx), returned=None)
    assert tail.status == "cancelled"


async def test_what_a_handler_may_not_do_to_its_running_job_is_refused_at_the_call(client: otelq.Client) -> None:
    refusals = list[str]()

    async def try_all(client: otelq.Client, chain: otelq.Chain[Any], tx: Any) -> None:
        calls: list[Act] = [
            lambda client, chain, tx: client.trigger(chain, tx=tx),
            lambda client, chain, tx: client.amend(chain, delay=1, tx=tx),
            lambda client, chain, tx: client.redrive(chain, tx=tx),
        ]
        for call in calls:
            with pytest.raises(otelq.InvalidArgument) as refusal:
                await call(client, chain, tx)
            refusals.append(str(refusal.value))

    tail = await ends_as(client, try_all)
    assert (tail.status, tail.output, len(refusals)) == ("completed", '"dropped"', 3)


async def test_a_handler_may_lock_its_own_job_in_its_completion(client: otelq.Client) -> None:
    tail = await ends_as(client, lambda client, chain, tx: client.lock(chain, tx=tx))
    assert (tail.status, tail.output) == ("completed", '"dropped"')


async def test_a_handler_that_ends_its_chain_and_raises_has_not_ended_it(client: otelq.Client) -> None:
    async def cancel(client: otelq.Client, chain: otelq.Chain[Any], tx: Any) -> None:
        await client.cancel(chain, tx=tx)
        raise ValueError("after all not")

    jobs, handler, attempts = selfish(cancel)
    async with otelq.Worker(client, jobs, others, poll_interval=0.05):
        tail = await ended(client, await client.start(handler, None))
    assert (attempts, tail.output, await started(client)) == ([1, 2], '"a second time"', [])


@pytest.mark.parametrize("client", ["postgres18", "postgres16"], indirect=True)
async def test_an_end_in_a_savepoint_that_is_rolled_back_is_none(client: otelq.Client) -> None:
    async def cancel(client: otelq.Client, chain: otelq.Chain[Any], tx: Any) -> None:
        with suppress(RollBack):
            async with tx.transaction():
                await client.cancel(chain, tx=tx)
                raise RollBack

    tail = await ends_as(client, cancel)
    assert (tail.status, tail.output) == ("completed", '"dropped"')


async def test_an_end_by_another_client_of_the_process_counts_too(backend: str) -> None:
    async with otelq.connect(backend) as client, otelq.connect(backend) as second:
        tail = await ends_as(client, lambda client, chain, tx: second.cancel(chain, tx=tx))
    assert tail.status == "cancelled"


async def test_middleware_may_end_the_chain_when_the_handler_has_returned(client: otelq.Client) -> None:
    class Ends(otelq.Middleware):
        @asynccontextmanager
        async def transaction(self, attempt: otelq.Attempt[Any], tx: Any) -> AsyncGenerator[None]:
            yield
            await attempt.client.cancel(otelq.Chain(attempt.chain_id, other), tx=tx)

    jobs, handler, attempts = selfish(lambda client, chain, tx: client.lock(chain, tx=tx))
    async with otelq.Worker(client, jobs, middleware=[Ends()], poll_interval=0.05):
        tail = await ended(client, await client.start(handler, None))
    assert (attempts, tail.status) == ([1], "cancelled")


async def test_an_end_in_a_transaction_of_the_attempts_own_counts_no_crash(client: otelq.Client) -> None:
    jobs, attempts = otelq.Jobs(), list[int]()

    @jobs.job("selfish", retry=AT_ONCE, lease=3600)
    async def handler(attempt: otelq.Attempt[None]) -> str:
        attempts.append(attempt.number)
        async with attempt.transaction() as tx:
            await attempt.client.cancel(otelq.Chain(attempt.chain_id, handler), tx=tx)
        return "too late"

    async with otelq.Worker(client, jobs, poll_interval=0.05):
        tail = await ended(client, await client.start(handler, None))
    assert (attempts, tail.status, tail.crashes) == ([1], "cancelled", 0)


async def test_an_end_without_a_transaction_counts_no_crash(client: otelq.Client) -> None:
    jobs, attempts, refusals = otelq.Jobs(), list[int](), list[Exception]()

    @jobs.job("selfish", retry=AT_ONCE, lease=3600)
    async def handler(attempt: otelq.Attempt[None]) -> str:
        attempts.append(attempt.number)
        await attempt.completion()
        try:
            await attempt.client.cancel(otelq.Chain(attempt.chain_id, handler))
        except otelq.InvalidArgument as refusal:  # the completion holds the only write lock
            refusals.append(refusal)
        return "done"

    async with otelq.Worker(client, jobs, poll_interval=0.05):
        tail = await ended(client, await client.start(handler, None))
    assert (attempts, tail.crashes) == ([1], 0)
    assert tail.status == ("completed" if refusals else "cancelled")
