"""Cancellation: one test, or more, for each sentence that the design says about it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

import otelq
from tests.stores import PrivateState

from .support import AT_ONCE, ONCE, Away, becomes, ended, for_ever, status, until


class Scene:
    """A worker that runs one job whose handler waits, and then does what the test wants."""

    def __init__(
        self,
        client: otelq.Client,
        *,
        retry: otelq.RetryPolicy = AT_ONCE,
        timeout: float | None = 3600,
        grace: float = 30,
        then: Callable[[otelq.Attempt[None]], Awaitable[str]] | None = None,
    ) -> None:
        self.client = client
        self.attempts = list[otelq.Attempt[None]]()
        self.reasons = list[otelq.CancelReason | None]()
        self.tasks = list[asyncio.Task[object]]()
        self._then = then
        jobs = otelq.Jobs()

        @jobs.job("waits", retry=retry, timeout=timeout, lease=1)
        async def waits(attempt: otelq.Attempt[None]) -> str:
            task = asyncio.current_task()
            assert task is not None
            self.tasks.append(task)
            self.attempts.append(attempt)
            if attempt.number > 1:
                return "second attempt"
            try:
                await for_ever()
            except asyncio.CancelledError:
                self.reasons.append(attempt.cancel_reason)
                if self._then is None:
                    raise
                return await self._then(attempt)

        self.type = waits
        self.worker = otelq.Worker(client, jobs, grace=grace, reap_interval=0.05)

    async def begin(self) -> otelq.Chain[str]:
        chain = await self.client.start(self.type, None)
        await until(lambda: self.attempts)
        return chain


async def returns(attempt: otelq.Attempt[None]) -> str:
    return "returned after the cancel"


# attempt.cancel_reason is LEASE_LOST | CANCELLED | TIMEOUT | SHUTDOWN | None and is set before the task is cancelled.


async def test_the_reason_is_none_until_the_engine_cancels(client: otelq.Client) -> None:
    scene = Scene(client)
    async with scene.worker:
        chain = await scene.begin()
        assert scene.attempts[0].cancel_reason is None
        await client.cancel(chain)
        await until(lambda: scene.reasons)


async def test_the_reason_is_cancelled_when_the_chain_is_cancelled(client: otelq.Client) -> None:
    scene = Scene(client)
    async with scene.worker:
        chain = await scene.begin()
        await client.cancel(chain)
        await until(lambda: scene.reasons)
    assert scene.reasons == [otelq.CancelReason.CANCELLED]
    assert await status(client, chain) == "cancelled"


async def test_the_reason_is_timeout_when_the_attempt_takes_too_long(client: otelq.Client) -> None:
    scene = Scene(client, timeout=0.05)
    async with scene.worker:
        chain = await scene.begin()
        assert await client.result(chain, timeout=10) == "second attempt"
    assert scene.reasons == [otelq.CancelReason.TIMEOUT]
    first = (await client.attempts(f"{chain.id}.0"))[0]
    assert first.failure is not None
    assert first.failure.type == "TimeoutError"


async def test_the_reason_is_shutdown_when_the_worker_stops_and_the_grace_is_over(client: otelq.Client) -> None:
    scene = Scene(client, grace=0.05)
    async with scene.worker:
        chain = await scene.begin()
    assert scene.reasons == [otelq.CancelReason.SHUTDOWN]
    job = (await client.chain(chain)).tail
    assert (job.status, job.attempt) == ("ready", 0)  # released: the attempt is given back


async def test_the_reason_is_lease_lost_when_the_job_was_completed_by_somebody_else(client: otelq.Client) -> None:
    scene = Scene(client)
    async with scene.worker:
        chain = await scene.begin()
        await client.complete(chain, "from outside", step=scene.type)
        await until(lambda: scene.reasons)
        assert await client.result(chain, timeout=10) == "from outside"
    assert scene.reasons == [otelq.CancelReason.LEASE_LOST]


async def test_the_reason_is_lease_lost_when_the_chain_is_deleted(client: otelq.Client) -> None:
    scene = Scene(client)
    async with scene.worker:
        await client.delete(await scene.begin())
        await until(lambda: scene.reasons)
    assert scene.reasons == [otelq.CancelReason.LEASE_LOST]


async def test_a_reason_that_comes_before_the_first_step_of_the_task_spares_the_handler(
    memory: otelq.Client,
) -> None:
    scene = Scene(memory, timeout=0.001, retry=ONCE)
    loop = asyncio.get_running_loop()
    loop.slow_callback_duration = 60
    async with scene.worker:
        job = await ended(memory, await memory.start(scene.type, None))
    assert job.failure is not None
    assert job.failure.type == "TimeoutError"


async def test_a_lease_that_is_lost_after_a_timeout_is_told(memory: otelq.Client) -> None:
    async def lingers(attempt: otelq.Attempt[None]) -> str:
        await memory.cancel(attempt.chain_id)
        await until(lambda: attempt.cancel_reason is otelq.CancelReason.CANCELLED)
        return "too late"

    scene = Scene(memory, timeout=0.05, then=lingers)
    async with scene.worker:
        chain = await scene.begin()
        with pytest.raises(otelq.ChainCancelled):
            await memory.result(chain, timeout=10)
    assert scene.reasons == [otelq.CancelReason.TIMEOUT]


async def test_a_handler_that_cleans_up_slowly_after_its_timeout_has_timed_out() -> None:
    state = Away()

    async def cleans_up(attempt: otelq.Attempt[None]) -> str:
        asked = state.asked.get("renew", 0)
        await until(lambda: state.asked.get("renew", 0) > asked + 1)  # the lease was renewed meanwhile
        return "cleaned up"

    async with otelq.connect(state) as client:
        scene = Scene(client, timeout=0.05, retry=ONCE, then=cleans_up)
        async with scene.worker:
            job = await ended(client, await scene.begin())
    assert (job.status, job.crashes) == ("failed", 0)
    assert job.failure is not None
    assert job.failure.type == "TimeoutError"


# A CancelledError that the engine did not ask for is an ordinary failed attempt.


async def test_a_cancelled_error_that_the_engine_did_not_ask_for_is_a_failed_attempt(client: otelq.Client) -> None:
    scene = Scene(client)
    async with scene.worker:
        chain = await scene.begin()
        scene.tasks[0].cancel()
        assert await client.result(chain, timeout=10) == "second attempt"
    assert scene.reasons == [None]
    first = (await client.attempts(f"{chain.id}.0"))[0]
    assert (first.verb, first.failure and first.failure.type) == ("retry", "asyncio.exceptions.CancelledError")


async def test_a_cancel_that_nobody_awaits_does_not_keep_a_completion_open(client: otelq.Client) -> None:
    jobs = otelq.Jobs()

    @jobs.job("cancels-itself", retry=AT_ONCE)
    async def cancels_itself(attempt: otelq.Attempt[None]) -> int:
        await attempt.completion()
        if attempt.number == 1:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            raise ValueError("with a cancel on its way")
        return attempt.number

    async with otelq.Worker(client, jobs, grace=1):
        assert await client.result(await client.start(cancels_itself, None), timeout=10) == 2


# A value returned after a cancel counts for SHUTDOWN only; otherwise it is discarded.


async def test_a_value_returned_after_a_shutdown_counts(client: otelq.Client) -> None:
    scene = Scene(client, grace=0.05, then=returns)
    async with scene.worker:
        chain = await scene.begin()
    assert await client.result(chain, timeout=10) == "returned after the cancel"


async def test_a_value_returned_after_a_timeout_is_discarded(client: otelq.Client) -> None:
    scene = Scene(client, timeout=0.05, then=returns)
    async with scene.worker:
        assert await client.result(await scene.begin(), timeout=10) == "second attempt"


async def test_a_value_returned_after_the_chain_was_cancelled_is_discarded(client: otelq.Client) -> None:
    scene = Scene(client, then=returns)
    async with scene.worker:
        chain = await scene.begin()
        await client.cancel(chain)
        await until(lambda: scene.reasons)
    job = (await client.chain(chain)).tail
    assert (job.status, job.output) == ("cancelled", None)


async def test_a_value_returned_after_the_lease_was_lost_is_discarded(client: otelq.Client) -> None:
    scene = Scene(client, then=returns)
    async with scene.worker:
        chain = await scene.begin()
        await client.complete(chain, "from outside", step=scene.type)
        await until(lambda: scene.reasons)
    assert await client.result(chain, timeout=10) == "from outside"


# Once COMMIT is sent nothing cancels it.


class SlowCommit(PrivateState):
    """A store whose settling statement of a completion waits until the test lets it go on."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()

    async def settle(self, settlements, *, tx=None, now=None):  # type: ignore[no-untyped-def]
        settled = await super().settle(settlements, tx=tx, now=now)
        if tx is not None:
            self.reached.set()
            await self.go_on.wait()
        return settled


async def committing(state: SlowCommit, disturb: Callable[[asyncio.Task[object]], object]) -> str:
    """What a chain yields whose handler is disturbed while its completion is on its way."""
    jobs, tasks = otelq.Jobs(), list[asyncio.Task[object]]()

    @jobs.job("commits", retry=ONCE, timeout=0.1)
    async def commits(attempt: otelq.Attempt[None]) -> str:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        await attempt.completion()
        return "committed"

    async with otelq.connect(state) as client, otelq.Worker(client, jobs, grace=0.05):
        chain = await client.start(commits, None)
        await state.reached.wait()
        disturb(tasks[0])
        asyncio.get_running_loop().call_later(0.3, state.go_on.set)  # the timeout passes meanwhile
        return await client.result(chain, timeout=10)


async def test_no_timeout_cancels_a_commit() -> None:
    assert await committing(SlowCommit(), lambda task: None) == "committed"


async def test_no_foreign_cancel_reaches_a_commit() -> None:
    assert await committing(SlowCommit(), lambda task: task.cancel()) == "committed"


# A handler that ignores a cancel for the grace period is abandoned, logged with its stack, its slot counted as leaked.


async def test_a_handler_that_ignores_its_cancel_is_abandoned_and_its_slot_counted_as_leaked(
    memory: otelq.Client, caplog: pytest.LogCaptureFixture
) -> None:
    released = asyncio.Event()

    async def deaf_to_the_world(attempt: otelq.Attempt[None]) -> str:
        await released.wait()
        return "at last"

    scene = Scene(memory, timeout=0.05, grace=0.05, then=deaf_to_the_world)
    with caplog.at_level(logging.ERROR, logger="otelq.worker"):
        async with scene.worker:
            chain = await scene.begin()
            assert await memory.result(chain, timeout=10) == "second attempt"
            assert scene.worker.leaked == 1
            released.set()
            await until(lambda: scene.worker.leaked == 0)
    [record] = [record for record in caplog.records if "abandoned" in record.message]
    assert "deaf_to_the_world" in record.message


async def test_a_worker_stops_beside_a_handler_that_never_ends(memory: otelq.Client) -> None:
    released = asyncio.Event()

    async def deaf_to_the_world(attempt: otelq.Attempt[None]) -> str:
        await released.wait()
        return "never stored"

    scene = Scene(memory, grace=0.05, then=deaf_to_the_world)
    async with scene.worker:
        chain = await scene.begin()
    assert (await becomes(memory, chain, "ready")).attempt == 0
    released.set()
    await scene.tasks[0]


async def test_what_an_abandoned_handler_wrote_in_its_completion_is_rolled_back(client: otelq.Client) -> None:
    jobs, released = otelq.Jobs(), asyncio.Event()

    @jobs.job("other")
    async def other(attempt: otelq.Attempt[None]) -> None: ...

    @jobs.job("holds-on", retry=AT_ONCE, timeout=0.1)
    async def holds_on(attempt: otelq.Attempt[None]) -> int:
        if attempt.number > 1:
            return attempt.number
        tx = await attempt.completion()
        await attempt.client.start(other, None, tx=tx)
        while not released.is_set():
            with suppress(asyncio.CancelledError):
                await released.wait()
        return attempt.number

    async with otelq.Worker(client, jobs, grace=0.05) as worker:
        assert await client.result(await client.start(holds_on, None), timeout=10) == 2
        released.set()
        await until(lambda: worker.leaked == 0)
    assert not (await client.jobs(type=other)).items


# attempt.stopping is set when the worker begins to stop.


async def test_stopping_is_set_when_the_worker_begins_to_stop(client: otelq.Client) -> None:
    jobs, began = otelq.Jobs(), asyncio.Event()

    @jobs.job("attentive")
    async def attentive(attempt: otelq.Attempt[None]) -> str:
        assert not attempt.stopping.is_set()
        began.set()
        await attempt.stopping.wait()
        return f"stopped well, {attempt.cancel_reason}"

    async with otelq.Worker(client, jobs):
        chain = await client.start(attentive, None)
        await began.wait()
    assert await client.result(chain, timeout=10) == "stopped well, None"


async def test_the_transaction_of_an_attempt_that_is_over_can_no_longer_be_opened(memory: otelq.Client) -> None:
    scene = Scene(memory, timeout=0.05, retry=ONCE)
    async with scene.worker:
        await ended(memory, await scene.begin())
    with pytest.raises(otelq.InvalidArgument, match="has ended"):
        await scene.attempts[0].completion()
    with pytest.raises(otelq.InvalidArgument, match="has ended"):
        async with scene.attempts[0].transaction():
            pass
