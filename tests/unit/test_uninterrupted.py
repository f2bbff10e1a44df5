"""Work that is not stopped half-way, under every way of being cancelled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import anyio
import pytest

from otelq.uninterrupted import cancel_once, finish


class Work:
    """Notes how often it was cancelled, and ends when it is told to."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.cancels = 0
        self.ended = False

    async def run(self) -> str:
        self.begun.set()
        while not self.may_end.is_set():
            try:
                await self.may_end.wait()
            except asyncio.CancelledError:
                self.cancels += 1
        self.ended = True
        return "done"


async def _cancelled(work: Work, call: Coroutine[Any, Any, str], *, times: int) -> asyncio.Task[str]:
    """A task at ``call``, cancelled so often while the work is under way, in different turns of the loop."""
    task = asyncio.create_task(call)
    await work.begun.wait()
    try:
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert not task.done()
    finally:
        work.may_end.set()  # it ignores cancels, and would keep a test that fails from ending
    await asyncio.wait([task])
    return task


async def test_a_result_passes() -> None:
    async def work() -> int:
        return 7

    assert await finish(work()) == 7
    assert await cancel_once(work()) == 7


async def test_an_error_passes() -> None:
    async def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await finish(work())
    with pytest.raises(ValueError, match="no"):
        await cancel_once(work())


@pytest.mark.parametrize("times", [1, 2, 5])
async def test_cancels_wait_for_the_end_and_arrive_then(times: int) -> None:
    work = Work()
    task = await _cancelled(work, finish(work.run()), times=times)
    assert work.ended
    assert work.cancels == 0
    assert task.cancelled()


@pytest.mark.parametrize("times", [1, 2, 5])
async def test_work_hears_of_one_cancel_only(times: int) -> None:
    work = Work()
    task = await _cancelled(work, cancel_once(work.run()), times=times)
    assert work.ended
    assert work.cancels == 1
    assert task.cancelled()


async def test_a_timeout_is_told_after_the_end() -> None:
    work = Work()
    asyncio.get_running_loop().call_later(0.05, work.may_end.set)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await finish(work.run())
    assert work.ended


async def test_an_error_beside_a_cancel_is_not_logged_as_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    begun, end = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await end.wait()
        raise ValueError("no")

    task = asyncio.create_task(finish(work()))
    await begun.wait()
    task.cancel()
    await asyncio.sleep(0)
    end.set()
    await asyncio.wait([task])
    assert task.cancelled()
    assert not caplog.records


@pytest.mark.parametrize("wait", [finish, cancel_once])
async def test_a_cancelled_anyio_scope_does_not_make_the_wait_spin(wait: Any) -> None:
    work = Work()
    asyncio.get_running_loop().call_later(0.5, work.may_end.set)
    cpu = time.thread_time()
    with anyio.move_on_after(0.01) as scope:
        await wait(work.run())
        await asyncio.Event().wait()
    assert work.ended
    assert scope.cancelled_caught
    assert time.thread_time() - cpu < 0.5 * 0.05
    assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]  # a test runs in a task


async def test_a_scope_that_was_cancelled_before_ends_at_its_next_wait() -> None:
    work = Work()
    work.may_end.set()
    reached = False
    with anyio.CancelScope() as scope:
        scope.cancel()
        await finish(work.run())
        reached = True
        await anyio.sleep(1)
    assert work.ended
    assert reached
    assert scope.cancelled_caught


async def test_a_task_group_that_fails_waits_for_the_end() -> None:
    work = Work()

    async def fail() -> None:
        await work.begun.wait()
        asyncio.get_running_loop().call_later(0.02, work.may_end.set)
        raise ValueError("no")

    async def both() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(finish, work.run())
            group.start_soon(fail)

    with pytest.raises(BaseExceptionGroup):
        await both()
    assert work.ended
