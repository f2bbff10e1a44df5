"""A cancel that arrives while a worker's block or a client is left: it waits for the end, and is not lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import anyio
import pytest

import otelq
from tests.stores import PrivateState

from .support import for_ever, status, until


class Lingering(PrivateState):
    """A store that takes its time over the question that a worker asks last."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def reap(self, *_: Any, **__: Any) -> tuple[()]:
        self.asked.set()
        await self.may_answer.wait()
        return ()


class Hopeless(PrivateState):
    """A store that nobody can claim from."""

    async def claim(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("always")


jobs = otelq.Jobs()


@jobs.job("idle")
async def idle(attempt: otelq.Attempt[None]) -> None: ...


async def turns(count: int = 20) -> None:
    """Let the event loop turn, so that everything happens that can happen now."""
    for _ in range(count):
        await asyncio.sleep(0)


async def is_idle() -> None:
    """Wait until the event loop has nothing to do, which it never has while a scope cancels again and again."""
    loop: Any = asyncio.get_running_loop()
    pauses: list[float | None] = []

    def select(timeout: float | None = None) -> Any:
        pauses.append(timeout)
        return loop._selector.__class__.select(loop._selector, timeout)

    loop._selector.select = select
    try:
        await until(lambda: any(pause is None or pause > 0 for pause in pauses))
    finally:
        del loop._selector.select


async def leave_when_asked(state: Lingering, *, left: list[str]) -> None:
    async with otelq.connect(state) as client:
        async with otelq.Worker(client, jobs, reap_interval=60):
            await state.asked.wait()
            left.append("block")
        left.append("worker")
        await for_ever()


@pytest.mark.parametrize("cancels", [1, 3])
async def test_a_cancel_while_a_worker_stops_arrives_after_the_stop(cancels: int) -> None:
    state, left = Lingering(), list[str]()
    task = asyncio.create_task(leave_when_asked(state, left=left))
    await until(lambda: left)
    for _ in range(cancels):
        task.cancel()
        await turns()
    assert not task.done()
    state.may_answer.set()
    await asyncio.wait([task], timeout=10)
    assert (task.cancelled(), left) == (True, ["block"])


async def answer_late(state: Lingering, run_out: Callable[[], None], *, left: list[str]) -> None:
    """Let a limit run out while the worker stops, and the stop end when nothing more happens."""
    await until(lambda: left)
    run_out()
    await turns()
    await is_idle()
    state.may_answer.set()


async def test_a_time_limit_that_runs_out_while_a_worker_stops_is_told() -> None:
    state, left, limit = Lingering(), list[str](), asyncio.timeout(None)
    now = asyncio.get_running_loop().time
    answering = asyncio.create_task(answer_late(state, lambda: limit.reschedule(now()), left=left))
    with pytest.raises(TimeoutError):
        async with limit:
            await leave_when_asked(state, left=left)
    await answering
    assert left == ["block"]


async def test_a_scope_of_anyio_that_runs_out_while_a_worker_stops_is_told_and_does_not_spin() -> None:
    state, left, scope = Lingering(), list[str](), anyio.CancelScope()
    answering = asyncio.create_task(answer_late(state, scope.cancel, left=left))
    with scope:
        await leave_when_asked(state, left=left)
    await answering
    assert (scope.cancelled_caught, left) == (True, ["block"])


async def test_a_task_group_that_fails_while_a_worker_stops_ends() -> None:
    state, left = Lingering(), list[str]()

    async def fail() -> None:
        await until(lambda: left)
        state.may_answer.set()
        raise ValueError

    async def together() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(leave_when_asked(state, left=left))
            group.create_task(fail())

    with pytest.raises(ExceptionGroup):
        await together()


async def test_a_cancel_while_attempts_finish_cancels_them_and_their_jobs_are_given_back(
    client: otelq.Client,
) -> None:
    slow, begun, stopping = otelq.Jobs(), asyncio.Event(), asyncio.Event()

    @slow.job("slow")
    async def handler(attempt: otelq.Attempt[None]) -> None:
        begun.set()
        await attempt.stopping.wait()
        stopping.set()
        await for_ever()

    async def serve() -> None:
        async with otelq.Worker(client, slow, grace=3600):
            await begun.wait()

    chain = await client.start(handler, None)
    task = asyncio.create_task(serve())
    await stopping.wait()
    task.cancel()
    await asyncio.wait([task], timeout=10)
    assert task.cancelled()
    assert (await status(client, chain), (await client.chain(chain)).tail.attempt) == ("ready", 0)


async def test_a_worker_that_gives_up_leaves_no_cancel_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otelq.loop.LONGEST_BACK_OFF", 0.01)
    async with otelq.connect(Hopeless()) as client:
        with pytest.raises(otelq.OtelqError, match="could not go on"):
            async with otelq.Worker(client, jobs, poll_interval=0.01):
                await for_ever()
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0


async def test_run_that_is_cancelled_while_it_stops_ends_cancelled() -> None:
    state = Lingering()
    async with otelq.connect(state) as client:
        task = asyncio.create_task(otelq.Worker(client, jobs, reap_interval=60).run())
        await state.asked.wait()
        task.cancel()
        await turns()
        task.cancel()
        state.may_answer.set()
        await asyncio.wait([task], timeout=10)
        assert task.cancelled()


async def test_a_cancel_while_a_client_is_closed_arrives_when_it_is() -> None:
    closing, may_close, closed = asyncio.Event(), asyncio.Event(), list[bool]()

    class Slow(PrivateState):
        async def close(self) -> None:
            closing.set()
            await may_close.wait()
            await super().close()
            closed.append(True)

    client = await otelq.connect(Slow()).open()
    task = asyncio.create_task(client.aclose())
    await closing.wait()
    task.cancel()
    await asyncio.sleep(0)
    may_close.set()
    await asyncio.wait([task])
    assert (task.cancelled(), closed) == (True, [True])


async def test_a_scope_of_anyio_round_a_handler_in_a_thread_does_not_spin(memory: otelq.Client) -> None:
    threads, begun, may_return, scopes = otelq.Jobs(), threading.Event(), threading.Event(), list[anyio.CancelScope]()

    class Limits(otelq.Middleware):
        async def attempt(self, attempt: otelq.Attempt[Any], call: Any) -> Any:
            with anyio.move_on_after(0.05) as scope:
                scopes.append(scope)
                return await call(attempt)

    @threads.job("blocks")
    def blocks(attempt: otelq.Attempt[None]) -> None:
        begun.set()
        may_return.wait(10)

    async with otelq.Worker(memory, threads, middleware=[Limits()]):
        chain = await memory.start(blocks, None)
        await until(begun.is_set)
        await until(lambda: scopes[0].cancel_called)
        await turns()
        await is_idle()
        may_return.set()
        await memory.result(chain, timeout=10)
