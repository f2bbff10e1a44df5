"""The ways in which a call is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import anyio

from .books import RETURNED, STOPPED, SWALLOWED

Action = Callable[[], Awaitable[None]]
Way = Callable[[Action, Random], Awaitable[bool]]
"""Makes a call and cancels it; returns whether it came to its end all the same."""

LONGEST = 0.02
"""Seconds until a call is cancelled, at most."""
DEEPEST = 400.0
"""Turns of the event loop until a call is cancelled, at most."""


class _Swallowed(Exception):
    """A call went on to its end although its task was cancelled."""


async def interrupted(action: Action, chance: Random) -> tuple[str, str]:
    """Make a call and cancel it in some way; returns how it ended, and with which error."""
    way = chance.choice(WAYS)
    try:
        return (RETURNED if await way(action, chance) else STOPPED), ""
    except (asyncio.CancelledError, TimeoutError):
        return STOPPED, ""
    except _Swallowed:
        return RETURNED, SWALLOWED
    except Exception as error:
        return STOPPED, f"{type(error).__name__}: {error}"


async def _anyio_limit(action: Action, chance: Random) -> bool:
    with anyio.move_on_after(chance.uniform(0, LONGEST)) as scope:
        await action()
    return not scope.cancelled_caught


async def _anyio_scope(action: Action, chance: Random) -> bool:
    with anyio.CancelScope() as scope:
        _after_turns(_depth(chance), scope.cancel)
        await action()
    return not scope.cancelled_caught


async def _asyncio_limit(action: Action, chance: Random) -> bool:
    async with asyncio.timeout(chance.uniform(0, LONGEST)):
        await action()
    return True


async def _cancelled_once(action: Action, chance: Random) -> bool:
    return await _as_task(action, [_depth(chance)])


async def _cancelled_twice(action: Action, chance: Random) -> bool:
    first = _depth(chance)
    return await _as_task(action, [first, first + chance.randint(1, 20)])


async def _both(action: Action, chance: Random) -> bool:
    """Set a limit of anyio within one of asyncio, as in a request of a web framework."""
    async with asyncio.timeout(chance.uniform(0, LONGEST)):
        return await _anyio_limit(action, chance)


async def _as_task(action: Action, depths: list[int]) -> bool:
    async def call() -> None:
        await action()
        if task.cancelling():
            raise _Swallowed

    task = asyncio.create_task(call())
    for depth in depths:
        _after_turns(depth, task.cancel)
    await task
    return True


def _depth(chance: Random) -> int:
    """Return a number of turns, small ones as often as large ones."""
    return int(DEEPEST ** chance.random()) - 1


def _after_turns(turns: int, act: Callable[[], object]) -> None:
    """Act after so many turns of the event loop, whatever becomes of the call meanwhile."""
    if turns <= 0:
        act()
    else:
        asyncio.get_running_loop().call_soon(_after_turns, turns - 1, act)


WAYS: tuple[Way, ...] = (_anyio_limit, _anyio_scope, _asyncio_limit, _cancelled_once, _cancelled_twice, _both)
