"""The ways to reach PostgreSQL that the tests of drivers go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg_pool import AsyncConnectionPool
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

DIALECTS = ("asyncpg", "psycopg")
"""What SQLAlchemy stands on."""


def engine_for(url: str, dialect: str, **options: Any) -> AsyncEngine:
    """An engine for a URL of a test server."""
    return create_async_engine(url.replace("postgresql://", f"postgresql+{dialect}://", 1), **options)


@asynccontextmanager
async def psycopg_pool(url: str, **options: Any) -> AsyncIterator[AsyncConnectionPool[Any]]:
    """An open pool of psycopg."""
    async with AsyncConnectionPool(url, min_size=0, open=False, **options) as pool:
        yield pool
