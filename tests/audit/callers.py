"""Applications with transactions of their own, through each driver, that do things to chains and change their minds."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, TypeAlias

import aiosqlite
import asyncpg
import psycopg
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

import otelq
from tests.behaviour.support import RollBack
from tests.postgres.drivers import engine_for, own_provider, psycopg_pool

later = otelq.JobType("later", input=int, output=int)

Scope: TypeAlias = Callable[[Any], AbstractAsyncContextManager[Any]]
"""Begins a savepoint in a transaction, which is rolled back if the block raises."""


@dataclass(frozen=True)
class Way:
    """How an application reaches its database: what otelq is given, and how a transaction and a savepoint begin."""

    target: Any
    transaction: Callable[[otelq.Client], AbstractAsyncContextManager[Any]]
    savepoint: Scope
    tells: bool = True
    """Whether the driver tells otelq how a transaction ends; else that is looked up."""


POSTGRES_WAYS: Final = ("own", "asyncpg", "psycopg", "sqlalchemy-asyncpg", "sqlalchemy-psycopg", "provider")
SQLITE_WAYS: Final = ("own", "aiosqlite")


@asynccontextmanager
async def way(name: str, url: str) -> AsyncGenerator[Way]:
    """A way to the database at a URL, closed at the end."""
    async with AsyncExitStack() as stack:
        match name.split("-"):
            case ["own"]:
                yield Way(url, lambda client: client.transaction(), _savepoint)
            case ["asyncpg"]:
                pool = await stack.enter_async_context(asyncpg.create_pool(url, min_size=0))
                yield Way(pool, lambda _: _of_asyncpg(pool), lambda tx: tx.transaction())
            case ["psycopg"]:
                yield _of_psycopg(await stack.enter_async_context(psycopg_pool(url, max_size=3)))
            case ["provider"]:
                provider = await stack.enter_async_context(own_provider(url))
                yield Way(provider, lambda _: provider.transaction(), lambda tx: tx.transaction(), tells=False)
            case ["sqlalchemy", dialect]:
                engine = engine_for(url, dialect)
                stack.push_async_callback(engine.dispose)
                sessions = async_sessionmaker(engine)
                yield Way(engine, lambda _: sessions.begin(), AsyncSession.begin_nested)
            case _:
                path = url.removeprefix("sqlite:///")
                connection = await stack.enter_async_context(aiosqlite.connect(path, isolation_level=None))
                yield Way(url, lambda _: _of_aiosqlite(connection), _savepoint, tells=False)


@asynccontextmanager
async def _of_asyncpg(pool: Any) -> AsyncGenerator[Any]:
    async with pool.acquire() as connection, connection.transaction():
        yield connection


def _of_psycopg(pool: Any) -> Way:
    @asynccontextmanager
    async def transaction(_: otelq.Client) -> AsyncGenerator[psycopg.AsyncConnection[Any]]:
        async with pool.connection() as connection, connection.transaction():
            yield connection

    return Way(pool, transaction, lambda tx: tx.transaction(), tells=False)


@asynccontextmanager
async def _of_aiosqlite(connection: aiosqlite.Connection) -> AsyncGenerator[Any]:
    await connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    except BaseException:
        await connection.execute("ROLLBACK")
        raise
    await connection.execute("COMMIT")


@asynccontextmanager
async def _savepoint(connection: Any) -> AsyncGenerator[Any]:
    """By statements, which asyncpg and aiosqlite both run."""
    await connection.execute("SAVEPOINT inner_one")
    try:
        yield connection
    except BaseException:
        await connection.execute("ROLLBACK TO inner_one")
        raise
    finally:
        await connection.execute("RELEASE inner_one")


@dataclass
class Caller:
    """Does things by chance, and changes its mind by chance; refusals are part of life."""

    client: otelq.Client
    way: Way
    chance: Random
    chains: list[otelq.Chain[Any]] = field(default_factory=list[otelq.Chain[Any]])

    async def live(self, transactions: int) -> None:
        """So many transactions, one after the other, of which one in three is rolled back."""
        for _ in range(transactions):
            with suppress(RollBack):
                async with otelq.after_commit(), self.way.transaction(self.client) as tx:
                    await self._act(tx, depth=2)
                    if self.chance.random() < 0.33:
                        raise RollBack

    async def _act(self, tx: Any, *, depth: int) -> None:
        """A few deeds, some of them in savepoints, of which every other one is rolled back."""
        for _ in range(self.chance.randint(1, 3)):
            if depth and self.chance.random() < 0.4:
                with suppress(RollBack):
                    async with self.way.savepoint(tx) as inner:
                        await self._act(tx if inner is None else _within(tx, inner), depth=depth - 1)
                        if self.chance.random() < 0.5:
                            raise RollBack
            else:
                await self._do(tx)

    async def _do(self, tx: Any) -> None:
        with suppress(otelq.OtelqError):
            await self.chance.choice(DEEDS if self.way.tells else DEEDS_THAT_LEAVE_A_TRACE)(self, tx)

    def some(self) -> otelq.Chain[Any]:
        return self.chance.choice(self.chains)

    async def start(self, tx: Any) -> None:
        blockers = self.chains[-1:]
        choices: list[dict[str, Any]] = [{}, {"delay": 60}, {"dedup": otelq.Dedup("key")}, {"blockers": blockers}]
        options = self.chance.choice(choices)
        self.chains.append(await self.client.start(later, 1, tx=tx, **options))

    async def start_many(self, tx: Any) -> None:
        self.chains += await self.client.start_many(later, [1, 2, 3], tx=tx)

    async def complete(self, tx: Any) -> None:
        outcome = self.chance.choice([2, otelq.Continue(later, 3)])
        await self.client.complete(self.some(), outcome, step=later, tx=tx)

    async def cancel(self, tx: Any) -> None:
        await self.client.cancel(self.some(), tx=tx)

    async def trigger(self, tx: Any) -> None:
        await self.client.trigger(self.some(), tx=tx)

    async def amend(self, tx: Any) -> None:
        await self.client.amend(self.some(), priority=self.chance.randint(1, 90), delay=120, tx=tx)

    async def redrive(self, tx: Any) -> None:
        await self.client.redrive(self.some(), tx=tx)

    async def delete(self, tx: Any) -> None:
        await self.client.delete(self.some(), tx=tx)


def _within(tx: Any, inner: Any) -> Any:
    """What otelq is given inside a savepoint: a provider's own handle of it, or the connection as ever."""
    return inner if hasattr(inner, "is_open") else tx


DEEDS: Final[tuple[Callable[[Caller, Any], Awaitable[None]], ...]] = (
    *(Caller.start,) * 4,
    Caller.start_many,
    Caller.complete,
    Caller.cancel,
    Caller.trigger,
    Caller.amend,
    Caller.redrive,
    Caller.delete,
)
DEEDS_THAT_LEAVE_A_TRACE: Final = tuple(deed for deed in DEEDS if deed is not Caller.delete)
"""Of a deletion nothing is left to be looked up: that of a later transaction would pass for it."""
