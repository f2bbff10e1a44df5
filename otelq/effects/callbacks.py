"""Callbacks of the application that follow the commit of the transaction or block that the task is inside of."""

from __future__ import annotations

import contextvars
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import overload

from ..errors import InvalidArgument
from .scopes import AfterCommitBlock, Callback, PendingCallback, check_callback, current, innermost


@overload
def after_commit() -> AbstractAsyncContextManager[None]: ...
@overload
def after_commit(callback: Callback) -> None: ...
def after_commit(callback: Callback | None = None) -> AbstractAsyncContextManager[None] | None:
    """
    Run a callback after a commit; or, without one, open a block round a transaction whose driver tells of no commit.

    ``otelq.after_commit(callback)`` runs ``callback()``, which may be a coroutine function, after the commit and never
    after a rollback: not if a savepoint in which it was registered is rolled back either. It belongs to the innermost
    of these that the task is inside of: ``client.transaction()``, ``attempt.completion()``, a block. For any other
    transaction, say ``client.after_commit(callback, tx=...)``.

    Callbacks run after otelq's own effects, in the order in which they were registered, one after the other and each in
    a copy of the context in which it was. One that raises is logged. A process that dies before runs none: work that
    must happen is a job.

    ``async with otelq.after_commit(): ...begin, start(tx=), commit`` reports what is written inside when the block
    ends. It is of use with a connection of aiosqlite or psycopg, which tell of no commit; without it the effects follow
    some 50 ms later. There the end of the block stands for the end of the transaction: leave it by an exception to have
    no callback run. If the transaction was rolled back and the block is left well all the same, callbacks run unless
    otelq wrote in it, for only that can be looked up. A block in a block is a savepoint: left by an exception, it drops
    its callbacks.

    Raises:
        InvalidArgument: the task is inside of none of these.
    """
    if callback is None:
        return _block()
    scope = current()
    pending = PendingCallback(check_callback(callback), contextvars.copy_context())
    if scope is None:
        raise InvalidArgument(
            "callback",
            "belongs to no transaction; call this in client.transaction() or otelq.after_commit(), or say "
            "client.after_commit(callback, tx=...)",
        )
    scope.adopt([pending])
    return None


@asynccontextmanager
async def _block() -> AsyncGenerator[None]:
    block = AfterCommitBlock(current())
    token = innermost.set(block)
    well = False
    try:
        yield
        well = True
    finally:
        innermost.reset(token)
        await block.end(well=well)
