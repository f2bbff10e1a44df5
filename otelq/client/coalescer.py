"""Batches concurrent starts into one statement."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Sequence
from copy import copy

from ..errors import Refused, Unavailable
from ..model import Created, NewJob
from ..spawn import spawn
from .engine import Engine

LARGEST_BATCH = 1_000
"""The largest number of starts that share one statement."""
RETRY_PAUSES = (0.02, 0.1, 0.5)
"""Seconds between tries of a statement whose reply was lost or that lost a conflict."""


class Coalescer:
    """Lets concurrent plain starts share one statement; each caller gets its own result or its own error."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queued: list[tuple[NewJob, asyncio.Future[Created]]] = []
        self._sender: asyncio.Task[None] | None = None

    async def create(self, job: NewJob) -> Created:
        """
        Create one chain, in one statement with others that are started just now.

        A caller that is cancelled before its statement is sent starts nothing; afterwards the chain may exist.
        """
        # Checked here, in the task of the caller: the statement runs in another one.
        self._engine.state.refuse_self_deadlock()
        future: asyncio.Future[Created] = asyncio.get_running_loop().create_future()
        self._queued.append((job, future))
        if self._sender is None:
            self._sender = spawn(self._send_all(), name="otelq starts", context=contextvars.Context())
        return await future

    async def close(self) -> None:
        """Wait for the starts that are under way."""
        if self._sender is not None:
            await asyncio.wait([self._sender])

    async def _send_all(self) -> None:
        # Starts that arrive during a statement share the next one: the batch grows with the load, and nobody waits for
        # a timer.
        try:
            with self._engine.telemetry.silence():
                while self._queued:
                    batch, self._queued = self._queued[:LARGEST_BATCH], self._queued[LARGEST_BATCH:]
                    await self._send_batch([item for item in batch if not item[1].done()])
        finally:
            self._sender = None

    async def _send_batch(self, batch: list[tuple[NewJob, asyncio.Future[Created]]]) -> None:
        if not batch:
            return
        try:
            created = await create(self._engine, [job for job, _ in batch])
        except Refused as error:
            if len(batch) == 1:
                return _fail(batch, error)
            middle = len(batch) // 2  # one bad value refuses the whole statement: halve until it is alone
            await self._send_batch(batch[:middle])
            await self._send_batch(batch[middle:])
        except Exception as error:
            _fail(batch, error)
        else:
            for (_, future), result in zip(batch, created, strict=True):
                if not future.done():
                    future.set_result(result)


async def create(engine: Engine, jobs: Sequence[NewJob]) -> Sequence[Created]:
    """
    Create chains in a transaction of otelq's own and report them; safe to repeat when a reply is lost.

    Raises:
        Unavailable: the database stayed away through several tries; the chains may or may not exist.
    """
    resent = False
    began = time.perf_counter()
    for pause in (*RETRY_PAUSES, None):
        try:
            created, transitions = await engine.state.create(jobs, resent=resent)
        except Unavailable as error:
            if pause is None:
                engine.telemetry.record_operation("enqueue", time.perf_counter() - began, type(error).__qualname__)
                raise
            resent = True  # the lost try may have committed; the store then finds its rows instead of a conflict
            await asyncio.sleep(pause)
        else:
            engine.telemetry.record_operation("enqueue", time.perf_counter() - began)
            engine.effects.follow(transitions)
            return created
    raise AssertionError("the last try returns or raises")


def _fail(batch: list[tuple[NewJob, asyncio.Future[Created]]], error: Exception) -> None:
    """Raise a copy of the error in each caller, so that their tracebacks do not mix."""
    for _, future in batch:
        if not future.done():
            future.set_exception(_copy_of(error))


def _copy_of(error: Exception) -> Exception:
    """Return a copy of the error, or the error itself if it cannot be copied."""
    try:
        copied = copy(error)
    except Exception:
        return error
    copied.__cause__ = error.__cause__
    return copied
