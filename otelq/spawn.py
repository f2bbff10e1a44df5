"""Starts tasks of otelq's own, past the application's task factory."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def spawn(
    work: Coroutine[Any, Any, T], *, name: str | None = None, context: contextvars.Context | None = None
) -> asyncio.Task[T]:
    """
    Run ``work`` in a new task, which begins in a later turn of the event loop.

    A task factory of the application may run the first steps before it returns (``asyncio.eager_task_factory``), drop
    the context, or return an object that is no task. Code that starts a task and then stores it needs none of that.
    """
    return asyncio.Task(work, loop=asyncio.get_running_loop(), name=name, context=context)
