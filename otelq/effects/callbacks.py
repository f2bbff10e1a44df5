"""Callbacks of the application after the commit of the transaction or block around the call."""

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
    Run ``callback()`` after the commit of the current transaction, and never after a rollback; or open a block for one.

    ``otelq.after_commit(callback)`` belongs to the innermost of these around the call: ``client.transaction()``,
    ``attempt.completion()``, a block. A savepoint that is rolled back drops the callbacks that were registered in it.
    For any other transaction, call ``client.after_commit(callback, tx=...)``.

    Callbacks run after otelq's own effects, in the order of their registration, one after the other, each in a copy of
    the context in which it was registered. One that raises is logged. A process that dies before runs none: start a job
    for work that must happen.

    ``async with otelq.after_commit(): ...begin, start(tx=), commit`` is a block, for connections of aiosqlite and
    psycopg, which do not report commits; without it the effects follow about 50 ms later. With these drivers otelq
    treats the end of the block as a commit. If you rolled back, raise out of the block: otherwise the callbacks run,
    unless otelq wrote in the transaction and can look that up. A block in a block is a savepoint: leaving it by an
    exception drops its callbacks.

    Args:
        callback: a function or a coroutine function without arguments; None opens a block.

    Raises:
        InvalidArgument: there is no transaction or block around the call.
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
    scope.add([pending])
    return None


@asynccontextmanager
async def _block() -> AsyncGenerator[None]:
    block = AfterCommitBlock(current())
    token = innermost.set(block)
    succeeded = False
    try:
        yield
        succeeded = True
    finally:
        innermost.reset(token)
        await block.end(succeeded=succeeded)
