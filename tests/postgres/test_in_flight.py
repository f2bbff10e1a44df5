"""No connection is handed on with a statement in flight, whatever is cancelled, and how often."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

import otelq
from otelq_verify.drivers import execute, is_inside, rows

from ..servers import PostgresServer
from .drivers import WAYS, target

JOB = otelq.JobType("job", input=int, output=int)

SLOW_COMMIT = """
CREATE TABLE kept (name text);
CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.4); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON kept DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.name LIKE 'slow%') EXECUTE FUNCTION dawdle()
"""


class Application:
    """A client, and what it was made from."""

    def __init__(self, client: otelq.Client, given: Any) -> None:
        self.client = client
        self.given = given

    async def write(self, name: str, *, wait: str = "") -> None:
        """Write a row and start a chain, in one transaction of the client."""
        async with self.client.transaction() as tx:
            await execute(tx, "INSERT INTO kept VALUES (?)", name)
            await self.client.start(JOB, 1, tx=tx)
            if wait:
                await execute(tx, wait)

    async def kept(self) -> tuple[list[str], int]:
        """The rows, and how many chains there are."""
        async with self.client.transaction() as tx:
            found = await rows(tx, "SELECT name FROM kept ORDER BY name")
        return [name for (name,) in found], (await self.client.count()).number

    async def check_usable(self) -> None:
        """See that as many connections as there are can be had at once, and that none is inside a transaction."""
        async with AsyncExitStack() as stack, asyncio.timeout(5):
            for _ in range(4):
                connection = await stack.enter_async_context(self._borrowed())
                assert not await is_inside(connection)
                await execute(connection, "SELECT 1")

    @asynccontextmanager
    async def _borrowed(self) -> AsyncGenerator[Any]:
        if isinstance(self.given, str):
            async with self.client.engine.state._database.source.loan(atomic=False, timeout=5) as link:  # type: ignore[attr-defined]
                yield link._connection
        elif hasattr(self.given, "acquire"):
            async with self.given.acquire() as connection:
                yield connection
        else:
            async with (
                self.given.connection() if hasattr(self.given, "getconn") else self.given.connect() as connection
            ):
                yield connection


@pytest.fixture(params=WAYS)
async def application(request: pytest.FixtureRequest, postgres18: PostgresServer) -> AsyncIterator[Application]:
    """An application that reaches its database in each of the ways."""
    url = postgres18.create_migrated_database()
    async with target(request.param, url) as given, otelq.connect(given) as client:
        application = Application(client, given)
        async with client.transaction() as tx:
            for statement in SLOW_COMMIT.split(";\nCREATE"):
                await execute(tx, statement if statement.strip().startswith("CREATE") else f"CREATE{statement}")
        yield application
        await application.check_usable()
    postgres18.drop_database(url)


async def test_a_commit_that_an_anyio_limit_meets_is_made_and_waiting_for_it_costs_nothing(
    application: Application,
) -> None:
    cpu, began = time.thread_time(), time.monotonic()
    with anyio.move_on_after(0.2):
        await application.write("slow")
    waited = time.monotonic() - began
    assert waited >= 0.4
    assert time.thread_time() - cpu < 0.05 + 0.05 * waited
    assert await application.kept() == (["slow"], 1)


@pytest.mark.parametrize("times", [1, 3])
async def test_a_commit_that_cancels_meet_is_made_and_then_they_arrive(application: Application, times: int) -> None:
    task = asyncio.create_task(application.write("slow"))
    await asyncio.sleep(0.2)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0.02)
    await asyncio.wait([task])
    assert task.cancelled()
    assert await application.kept() == (["slow"], 1)


async def test_a_statement_that_an_anyio_limit_meets_is_rolled_back(application: Application) -> None:
    with anyio.move_on_after(0.2) as scope:
        await application.write("quick", wait="SELECT pg_sleep(20)")
    assert scope.cancelled_caught
    assert await application.kept() == ([], 0)


async def test_limits_of_a_few_milliseconds_leave_all_connections_in_order(application: Application) -> None:
    for number in range(60):
        with anyio.move_on_after(number % 12 / 1000):
            await application.write(f"row {number:02}")
    names, chains = await application.kept()
    assert len(names) == chains
    await application.check_usable()


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("kind", [None, AsyncSession])
async def test_a_task_of_the_user_that_is_still_at_a_statement_does_not_poison_the_next_loan(
    application: Application, kind: type | None, fails: bool
) -> None:
    left: list[asyncio.Task[None]] = []

    async def leave_one() -> None:
        async with application.client.transaction(kind if isinstance(application.given, AsyncEngine) else None) as tx:
            await execute(tx, "INSERT INTO kept VALUES ('left')")
            left.append(asyncio.create_task(execute(tx, "SELECT pg_sleep(20)")))
            await asyncio.sleep(0.1)
            if fails:
                raise LookupError

    with pytest.raises(LookupError if fails else otelq.OtelqError):
        await leave_one()
    left[0].cancel()
    await asyncio.gather(*left, return_exceptions=True)
    assert await application.kept() == ([], 0)
