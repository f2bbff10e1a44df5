"""Transactions of handlers and clients wait for a connection with a limit, and never for each other for ever."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from otelq.errors import Unavailable
from otelq.postgres.transaction_limit import CHECK_INTERVAL, TransactionLimit


async def _hold(limit: TransactionLimit, *, depth: int, all_in: asyncio.Barrier, timeout: float = 10) -> int:
    """Open transactions inside transactions, when everybody has their first; how many it came to."""
    async with AsyncExitStack() as stack:
        for held in range(depth):
            try:
                await stack.enter_async_context(limit.acquire(timeout=timeout))
            except Unavailable:
                return held
            if held == 0:
                await all_in.wait()
        return depth


async def test_a_place_is_given_on_in_the_order_of_asking() -> None:
    limit, order = TransactionLimit(1), list[int]()

    async def one(number: int) -> None:
        async with limit.acquire(timeout=5):
            order.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(one(number) for number in range(5)))
    assert order == [0, 1, 2, 3, 4]


async def test_a_wait_ends_with_what_is_needed_in_its_error() -> None:
    limit = TransactionLimit(1)
    async with limit.acquire(timeout=1):
        waiting = asyncio.create_task(_hold(limit, depth=1, all_in=asyncio.Barrier(1), timeout=0.05))
        assert await waiting == 0
        with pytest.raises(Unavailable, match=r"max_size"):
            await asyncio.create_task(_enter(limit), context=None)


async def _enter(limit: TransactionLimit) -> None:
    async with limit.acquire(timeout=0.05):
        pass


@pytest.mark.parametrize("size, handlers, depth", [(1, 1, 2), (3, 3, 2), (10, 10, 2), (4, 2, 5), (6, 6, 3)])
async def test_transactions_in_each_other_all_end_though_each_needs_another(
    size: int, handlers: int, depth: int
) -> None:
    limit, all_in = TransactionLimit(size), asyncio.Barrier(handlers)
    async with asyncio.timeout(30):
        reached = await asyncio.gather(*(_hold(limit, depth=depth, all_in=all_in) for _ in range(handlers)))
    assert all(1 <= each <= depth for each in reached)
    assert max(reached) == min(depth, size)  # somebody went on with what the refused gave back


async def test_a_task_left_behind_by_a_short_transaction_is_not_refused() -> None:
    limit, late = TransactionLimit(1), list[asyncio.Task[None]]()
    async with limit.acquire(timeout=5):
        late.append(asyncio.create_task(_enter(TransactionLimit(1))))
        late.append(asyncio.create_task(_enter_patiently(limit)))
        await asyncio.sleep(0)
    await asyncio.gather(*late)


async def _enter_patiently(limit: TransactionLimit) -> None:
    async with limit.acquire(timeout=5):
        pass


async def test_a_cancelled_wait_leaves_no_place_behind() -> None:
    limit = TransactionLimit(1)
    async with limit.acquire(timeout=5):
        waiting = [asyncio.create_task(_enter_patiently(limit)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
    waiting[1].cancel()  # it has been given the place, and has not noticed
    await asyncio.wait(waiting)
    assert [task.cancelled() for task in waiting] == [True, True, False]
    await _enter_patiently(limit)


async def test_a_transaction_of_another_task_is_waited_for_though_it_began_inside() -> None:
    limit = TransactionLimit(1)
    async with limit.acquire(timeout=5):
        late = asyncio.create_task(_enter_patiently(limit))
        await asyncio.wait([late], timeout=3 * CHECK_INTERVAL)
        assert not late.done()
    await late


async def test_three_in_each_other_are_refused_where_two_have_room() -> None:
    limit, began = TransactionLimit(2), time.monotonic()
    assert await _hold(limit, depth=3, all_in=asyncio.Barrier(1), timeout=10) == 2
    assert time.monotonic() - began < 5
