"""Applications on SQLAlchemy, over any database."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker

from .options import Alchemy
from .use import Handles

UNSTREAMED: Final = {"stream_results": False, "yield_per": None}
"""What an application says for one statement where its engine streams results."""


class AlchemyApplication:
    """An application with an engine, and with sessions of it."""

    def __init__(
        self, engine: AsyncEngine, options: Alchemy, facts: Callable[[AsyncConnection], Awaitable[set[str]]]
    ) -> None:
        self.target: Any = engine
        self._facts = facts
        self._options = options
        self.session: Any = async_sessionmaker(engine, **options.session)
        self.handles: Handles = [self._on_session, self._on_connection_of_session]
        if options.session.get("autobegin", True) or options.begins:
            self.handles = [self._on_connection, *self.handles]

    @asynccontextmanager
    async def _on_connection(self) -> AsyncGenerator[Any]:
        async with self.target.connect() as connection:
            if self._options.connection:
                await connection.execution_options(**self._options.connection)
            yield connection
            await connection.commit()

    @asynccontextmanager
    async def _on_session(self) -> AsyncGenerator[AsyncSession]:
        async with self.session() as session:
            if self._options.begins:
                await session.begin()
            if self._options.connection:
                await session.connection(execution_options=self._options.connection)
            yield session
            await session.commit()

    @asynccontextmanager
    async def _on_connection_of_session(self) -> AsyncGenerator[AsyncSession]:
        """A session that takes part in a transaction that was begun on a connection."""
        async with self.target.connect() as connection:
            if self._options.connection:
                await connection.execution_options(**self._options.connection)
            async with connection.begin(), self.session(bind=connection) as session:
                if self._options.begins:
                    await session.begin()
                yield session
                await session.commit()

    async def facts(self) -> list[set[str]]:
        pool = self.target.pool
        async with AsyncExitStack() as stack:
            held = [await stack.enter_async_context(self.target.connect())]
            while getattr(pool, "checkedin", int)():
                held.append(await stack.enter_async_context(self.target.connect()))
            return [await self._facts(each) for each in held]
