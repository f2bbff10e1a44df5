"""Notifications on a connection of asyncpg."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import asyncpg

_ERRORS: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

UNLISTEN: Final = 1.0
"""Seconds for an orderly end; the connection is closed after it in any case."""


@asynccontextmanager
async def listening(
    connection: Any, channel: str, receive: Callable[[str], None], *, lost: Callable[[], None], timeout: float
) -> AsyncGenerator[None]:
    """Listen on a channel, and call ``lost`` when the connection has ended."""

    def heard(_connection: Any, _pid: int, _channel: str, payload: str) -> None:
        receive(payload)

    def ended(_connection: Any) -> None:
        lost()

    connection.add_termination_listener(ended)
    try:
        async with asyncio.timeout(timeout):
            await connection.add_listener(channel, heard)
        yield
    except Exception:
        with suppress(*_ERRORS):
            connection.remove_termination_listener(ended)
            connection.terminate()  # an UNLISTEN on a half-open connection would wait for its answer
        raise
    finally:
        with suppress(*_ERRORS):
            connection.remove_termination_listener(ended)
            async with asyncio.timeout(UNLISTEN):
                await connection.remove_listener(channel, heard)
