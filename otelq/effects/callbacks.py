"""Callbacks of the application that follow a commit."""

from __future__ import annotations

import contextvars
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import overload

from ..errors import InvalidArgument
from .effects import everybody
from .scopes import Block, Callback, Hung, current, enclosing_block, innermost


@overload
def after_commit() -> AbstractAsyncContextManager[None]: ...
@overload
def after_commit(callback: Callback, *, tx: object | None = None) -> None: ...
def after_commit(
    callback: Callback | None = None, *, tx: object | None = None
) -> AbstractAsyncContextManager[None] | None:
    """
    Hang a callback on a commit; or, without one, open a block round a transaction whose driver tells of no commit.

    ``otelq.after_commit(callback)`` runs ``callback()``, which may be a coroutine function, after the commit and never
    after a rollback: not if a savepoint in which it was hung is rolled back either. It belongs to ``tx``, or else to
    the innermost of these that the task is inside of: ``client.transaction()``, ``attempt.completion()``, a block.
    Callbacks run after otelq's own effects, in the order in which they were hung, one after the other and each in a
    copy of the context in which it was hung. One that raises is logged. A process that dies before runs none: what
    must happen is a job.

    ``async with otelq.after_commit(): ...begin, start(tx=), commit`` tells the effects of what is written inside when
    the block ends. It is of use with a connection of aiosqlite or psycopg, which tell of no commit; without it the
    effects follow some 50 ms later. There the end of the block stands for the end of the transaction: leave it by an
    exception to have no callback run. If the transaction was rolled back and the block is left well all the same,
    callbacks run unless otelq wrote in it, for only that can be looked up. A block in a block is a savepoint: left by
    an exception, it drops its callbacks.

    Raises:
        InvalidArgument: there is nothing to belong to, or ``tx`` is such a connection outside a block.
    """
    if callback is None:
        return _enclosing_block()
    if not callable(callback):
        raise InvalidArgument("callback", f"is {callback!r}; give a function without parameters")
    _hang(callback, tx)
    return None


@asynccontextmanager
async def _enclosing_block() -> AsyncGenerator[None]:
    block = Block(current())
    token = innermost.set(block)
    well = False
    try:
        yield
        well = True
    finally:
        innermost.reset(token)
        await block.end(well=well)


def _hang(callback: Callback, tx: object | None) -> None:
    context = contextvars.copy_context()
    if tx is not None:
        return _hang_on(Hung(callback, context), tx)
    scope = current()
    if scope is None:
        raise InvalidArgument(
            "tx", "is missing: give the transaction, or call this in client.transaction() or otelq.after_commit()"
        )
    scope.adopt([Hung(callback, context)])


def _hang_on(hung: Hung, tx: object) -> None:
    """Let the first client that is told of the end of the transaction follow it; else the block does."""
    problem = InvalidArgument("tx", "can be followed by no client of this process; open one first")
    for effects in [effects for effects in everybody if effects.is_here]:
        try:
            hung.tx = effects.join(tx)
        except InvalidArgument as error:
            problem = error
            continue
        if effects.hang(hung, hung.tx):
            return
    block = enclosing_block()
    if hung.tx is None:
        raise problem
    if block is None:
        raise InvalidArgument("tx", "does not tell of its end; open `async with otelq.after_commit():` round it")
    block.adopt([hung])
