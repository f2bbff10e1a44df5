"""Runs work that a cancel must not stop half-way: a COMMIT that was sent, a connection that returns to its pool."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from .spawn import spawn

T = TypeVar("T")


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """
    Run ``work`` to its end in a task of its own; a cancel of the caller is raised after that end.

    ``work`` needs a deadline of its own: nothing else bounds the wait. The cancel of an anyio scope is raised by the
    caller's next wait, as anyio does after a shield.

    Raises:
        asyncio.CancelledError: the caller was cancelled meanwhile; the result of ``work`` is dropped.
    """
    task = spawn(work)  # a cancel reaches the caller, not this task
    if cancel := await _wait_until_done(task):
        raise _drop_error(cancel, task)
    return task.result()


async def cancel_once(
    work: Coroutine[Any, Any, T], *, undo: Callable[[T], Coroutine[Any, Any, object]] | None = None
) -> T:
    """
    Run ``work`` in a task of its own, pass on the first cancel of the caller, and wait until ``work`` dealt with it.

    It is for a driver that handles a cancel by ending its statement on the server. A second cancel meanwhile would
    leave the statement running. If ``work`` ends with a result in spite of the cancel, ``undo`` is given that result:
    for example a connection that has to go back to its pool.
    """
    task = spawn(work)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError as cancel:
        task.cancel()
        later = await _wait_until_done(task)
        if undo is not None and not task.cancelled() and task.exception() is None:
            await finish(undo(task.result()))
        raise _drop_error(later or cancel, task) from None
    return task.result()


async def _wait_until_done(task: asyncio.Task[Any]) -> asyncio.CancelledError | None:
    """Wait until a task has ended, through any number of cancels; return the last of these."""
    last: asyncio.CancelledError | None = None
    with shield():
        while not task.done():  # `asyncio.shield` would return at the second cancel
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as cancel:
                last = cancel
    return last


def shield() -> AbstractContextManager[object]:
    """
    Keep a cancelled anyio scope from cancelling the current task.

    Such a scope cancels again on every turn of the event loop, so ignoring the cancel would make a wait spin. If anyio
    was never imported, there is no such scope.
    """
    anyio = sys.modules.get("anyio")
    return nullcontext() if anyio is None else anyio.CancelScope(shield=True)


def _drop_error(cancel: asyncio.CancelledError, task: asyncio.Task[Any]) -> asyncio.CancelledError:
    """Return the cancel; read the task's error, which asyncio would log otherwise as never retrieved."""
    if not task.cancelled():
        task.exception()
    return cancel
