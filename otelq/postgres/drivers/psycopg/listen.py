"""Notifications on a connection of psycopg."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
from psycopg import AsyncConnection, sql

from ....spawn import spawn


@asynccontextmanager
async def listening(
    connection: AsyncConnection[Any],
    channel: str,
    receive: Callable[[str], None],
    *,
    lost: Callable[[], None],
    timeout: float,
) -> AsyncGenerator[None]:
    """Listen on a channel of a connection in autocommit mode, and call ``lost`` when the connection has ended."""
    async with asyncio.timeout(timeout):
        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
    # The driver hands notifications over only to somebody who waits for them on the connection itself.
    task = spawn(_hear(connection, receive, lost), name="otelq listener")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _hear(connection: AsyncConnection[Any], receive: Callable[[str], None], lost: Callable[[], None]) -> None:
    try:
        with suppress(psycopg.Error, OSError):
            async for notification in connection.notifies():
                receive(notification.payload)
    finally:
        lost()
