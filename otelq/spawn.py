"""Tasks of otelq's own, which the application's task factory does not see."""

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
    Run ``work`` in a task of the running event loop that begins in one of its next turns, whatever the task factory.

    A factory may run the first steps before it returns (``asyncio.eager_task_factory``), drop the context, or return
    something that is no task; code that starts a task and then notes that it did so must not depend on that.
    """
    return asyncio.Task(work, loop=asyncio.get_running_loop(), name=name, context=context)
