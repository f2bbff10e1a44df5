"""The stacks of waiting tasks and of threads, as text."""

from __future__ import annotations

import asyncio
import sys
import traceback
from types import FrameType
from typing import Any

_FRAMES = ("cr_frame", "gi_frame", "ag_frame")
_AWAITED = ("cr_await", "gi_yieldfrom", "ag_await")


def stack_of(task: asyncio.Task[Any]) -> str:
    """
    Return the stack of a waiting task as text, down to the innermost coroutine.

    ``Task.get_stack`` gives only the outermost frame, which is always otelq's own.
    """
    frames: list[tuple[FrameType, int]] = []
    awaited: object = task.get_coro()
    while (frame := _first(awaited, _FRAMES)) is not None:
        frames.append((frame, frame.f_lineno))
        awaited = _first(awaited, _AWAITED)
    return "".join(traceback.StackSummary.extract(iter(frames)).format())


def stack_of_thread(ident: int) -> str:
    """Return the stack of the thread with this ident as text; empty if the thread has ended."""
    frame = sys._current_frames().get(ident)  # pyright: ignore[reportPrivateUsage]  # documented, and has no other name
    return "" if frame is None else "".join(traceback.format_stack(frame))


def _first(value: object, names: tuple[str, ...]) -> Any:
    return next((found for name in names if (found := getattr(value, name, None)) is not None), None)
