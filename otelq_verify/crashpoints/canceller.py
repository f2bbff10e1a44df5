"""A canceller of the task or scope that makes a verb, while a statement of it is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from .points import Interruption

T = TypeVar("T")


class Canceller:
    """
    Runs a verb so that it can be cancelled: its task, once; or a scope of anyio, which cancels on every turn of the
    event loop.

    Args:
        fault: which of the two; with any other fault, neither.
    """

    def __init__(self, fault: Interruption | None) -> None:
        self._fault = fault
        self._cancel: Callable[[], object] | None = None
        self._is_over = False
        self.has_struck = False
        self.problem = ""

    def strike(self) -> None:
        """Cancel the verb, if it has not ended."""
        if self._cancel is not None and not self._is_over:
            self.has_struck = True
            self._cancel()

    async def run(self, verb: Awaitable[T]) -> T:
        """
        Run a verb.

        Raises:
            CancelledError: it was cancelled.
        """
        try:
            match self._fault:
                case Interruption.CANCELLED:
                    return await self._in_task(verb)
                case Interruption.SCOPED:
                    return await self._in_scope(verb)
                case _:
                    return await verb
        finally:
            self._is_over = True

    async def _in_task(self, verb: Awaitable[T]) -> T:
        task = asyncio.ensure_future(verb)
        self._cancel = task.cancel
        # Only the inner task is cancelled: this one sees its error, as the caller that cancelled the verb does.
        made = await task
        if self.has_struck:
            self.problem = "goes on to its end although its task was cancelled"
        return made

    async def _in_scope(self, verb: Awaitable[T]) -> T:
        with anyio.CancelScope() as scope:
            self._cancel = scope.cancel
            return await verb
        raise asyncio.CancelledError
