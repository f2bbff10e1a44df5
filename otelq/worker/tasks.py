"""What is missing about tasks and threads: the stack of one that waits, and work that no cancel stops half-way."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Coroutine
from contextlib import suppress
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

_FRAMES = ("cr_frame", "gi_frame", "ag_frame")
_AWAITED = ("cr_await", "gi_yieldfrom", "ag_await")


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Await what must not stop half-way: a cancel of this task comes too late, and is forgotten."""
    task = asyncio.get_running_loop().create_task(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([task])
    return task.result()


def stack_of(task: asyncio.Task[Any]) -> str:
    """The stack as text. ``Task.get_stack`` knows the outermost frame only, which is always otelq's own."""
    frames: list[tuple[FrameType, int]] = []
    awaited: object = task.get_coro()
    while (frame := _first(awaited, _FRAMES)) is not None:
        frames.append((frame, frame.f_lineno))
        awaited = _first(awaited, _AWAITED)
    return "".join(traceback.StackSummary.extract(iter(frames)).format())


def stack_of_thread(ident: int) -> str:
    """The stack of the thread with this ident as text; empty when it has ended."""
    frame = sys._current_frames().get(ident)  # pyright: ignore[reportPrivateUsage]  # documented, and has no other name
    return "" if frame is None else "".join(traceback.format_stack(frame))


def _first(thing: object, names: tuple[str, ...]) -> Any:
    return next((found for name in names if (found := getattr(thing, name, None)) is not None), None)
