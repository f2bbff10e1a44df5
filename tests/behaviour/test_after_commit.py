"""Callbacks that an application hangs on a commit: they run after it, and after nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import aiosqlite
import asyncpg
import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

import otelq
from otelq.ports.state import Ending
from otelq.sqlite.owned_transactions import AiosqliteOwnedTransaction
from tests.conftest import StartServer
from tests.postgres.drivers import DIALECTS, engine_for
from tests.stores import PrivateState, seen_as
from tests.telemetry.sdk import Sdk

from .support import ONCE, RollBack, ended, until

jobs = otelq.Jobs()
Transaction = Callable[[], AbstractAsyncContextManager[Any]]


@jobs.job("echo")
async def echo(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


class Caller:
    """An application with transactions of its own kind; they commit unless ``RollBack`` is raised in them."""

    def __init__(self, client: otelq.Client, transaction: Transaction, savepoint: Callable[[Any], Any]) -> None:
        self.client = client
        self.savepoint = savepoint
        self._transaction = transaction
        self.ran: list[object] = []

    @asynccontextmanager
    async def transaction(self, *, commit: bool = True) -> AsyncGenerator[Any]:
        with suppress(RollBack):
            async with self._transaction() as tx:
                yield tx
                if not commit:
                    raise RollBack

    def note(self, name: object) -> Callable[[], None]:
        return lambda: self.ran.append(name)

    async def settled(self) -> list[object]:
        """What ran, once a later commit's callback has, and no other is on its way: commits do not wait in line."""
        async with self.transaction() as tx:
            self.client.after_commit(self.note("last"), tx=tx)
        await until(lambda: "last" in self.ran and not self.client.engine.effects._tasks)
        return [name for name in self.ran if name != "last"]


@asynccontextmanager
async def by_hand(connection: Any) -> AsyncGenerator[Any]:
    await connection.execute("BEGIN")
    try:
        yield connection
    except RollBack:
        await connection.execute("ROLLBACK")
        raise
    await connection.execute("COMMIT")


@asynccontextmanager
async def savepoint_by_hand(connection: Any) -> AsyncGenerator[None]:
    await connection.execute("SAVEPOINT here")
    try:
        yield
    except RollBack:
        await connection.execute("ROLLBACK TO SAVEPOINT here")


@asynccontextmanager
async def nested(handle: Any) -> AsyncGenerator[None]:
    with suppress(RollBack):
        async with handle.begin_nested():
            yield


HANDLES = [f"{way} {handle}" for way in DIALECTS for handle in ("session", "connection")]
"""What SQLAlchemy over PostgreSQL gives an application."""

KINDS = ["sqlite", "sqlite session", "sqlite connection", "postgres18", "asyncpg", *HANDLES]


@pytest.fixture(params=KINDS)
async def caller(request: pytest.FixtureRequest, tmp_path: Path, postgres_server: StartServer) -> AsyncIterator[Caller]:
    """An application on each driver that tells of its commits."""
    kind: str = request.param
    async with AsyncExitStack() as stack:
        if kind.startswith("sqlite"):
            client = await stack.enter_async_context(otelq.connect(f"sqlite:///{tmp_path}/otelq.db"))
            engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/otelq.db")
            stack.push_async_callback(engine.dispose)
            begins = {"sqlite session": lambda: AsyncSession(engine).begin(), "sqlite connection": engine.begin}
            savepoint = nested if kind in begins else savepoint_by_hand
            yield Caller(client, session_of(begins[kind]) if kind in begins else client.transaction, savepoint)
        else:
            server = postgres_server(18)
            url = server.create_migrated_database()
            stack.callback(server.drop_database, url)
            client = await stack.enter_async_context(otelq.connect(url))
            if kind in HANDLES:
                dialect, handle = kind.split()
                engine = engine_for(url, dialect)
                stack.push_async_callback(engine.dispose)
                begin = engine.begin if handle == "connection" else lambda: AsyncSession(engine).begin()
                yield Caller(client, session_of(begin), nested)
            else:
                connection = await asyncpg.connect(url)
                stack.push_async_callback(connection.close)
                begun = client.transaction if kind == "postgres18" else lambda: by_hand(connection)
                yield Caller(client, begun, savepoint_by_hand)


def session_of(begin: Callable[[], Any]) -> Transaction:
    """The handle that a transaction of SQLAlchemy belongs to."""

    @asynccontextmanager
    async def transaction() -> AsyncGenerator[Any]:
        async with begin() as begun:
            yield getattr(begun, "session", begun)

    return transaction


def suppressed(begin: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @asynccontextmanager
    async def savepoint(tx: Any) -> AsyncGenerator[None]:
        with suppress(RollBack):
            async with begin(tx):
                yield

    return savepoint


# A transaction that is named


async def test_a_callback_runs_after_the_commit_and_not_before(caller: Caller) -> None:
    async with caller.transaction() as tx:
        caller.client.after_commit(caller.note(1), tx=tx)
        await caller.client.start(echo, 1, tx=tx)
        assert caller.ran == []
    assert await caller.settled() == [1]


async def test_a_callback_never_runs_after_a_rollback(caller: Caller) -> None:
    async with caller.transaction(commit=False) as tx:
        caller.client.after_commit(caller.note(1), tx=tx)
        await caller.client.start(echo, 1, tx=tx)
        caller.client.after_commit(caller.note(2), tx=tx)
    assert await caller.settled() == []


async def test_a_savepoint_that_is_rolled_back_drops_what_was_hung_in_it_and_no_more(caller: Caller) -> None:
    async with caller.transaction() as tx:
        caller.client.after_commit(caller.note("before"), tx=tx)
        await go_back(caller, tx)
        caller.client.after_commit(caller.note("after"), tx=tx)
    assert await caller.settled() == ["before", "after"]


async def go_back(caller: Caller, tx: object) -> None:
    async with caller.savepoint(tx):
        await caller.client.start(echo, 1, tx=tx)
        caller.client.after_commit(caller.note("inside"), tx=tx)
        raise RollBack


async def test_a_savepoint_that_is_kept_keeps_what_was_hung_in_it(caller: Caller) -> None:
    async with caller.transaction() as tx:
        async with caller.savepoint(tx):
            caller.client.after_commit(caller.note("inside"), tx=tx)
        caller.client.after_commit(caller.note("after"), tx=tx)
    assert await caller.settled() == ["inside", "after"]


async def test_a_savepoint_without_a_statement_drops_what_was_hung_in_it(caller: Caller) -> None:
    async with caller.transaction() as tx:
        caller.client.after_commit(caller.note("before"), tx=tx)
        with suppress(RollBack):
            async with caller.savepoint(tx):
                caller.client.after_commit(caller.note("inside"), tx=tx)
                raise RollBack
        caller.client.after_commit(caller.note("after"), tx=tx)
        await caller.client.start(echo, 1, tx=tx)
    assert await caller.settled() == ["before", "after"]


async def test_callbacks_run_in_the_order_hung_whatever_they_are(caller: Caller) -> None:
    async def slowly() -> None:
        await asyncio.sleep(0)
        caller.ran.append(2)

    async with caller.transaction() as tx:
        for callback in (caller.note(1), slowly, caller.note(3)):
            caller.client.after_commit(callback, tx=tx)
    await until(lambda: 3 in caller.ran)
    assert caller.ran == [1, 2, 3]


async def test_a_callback_that_raises_is_logged_and_harms_nobody(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    def fails() -> None:
        raise ZeroDivisionError

    caplog.set_level(logging.ERROR, logger="otelq")

    async with caller.transaction() as tx:
        chain = await caller.client.start(echo, 1, tx=tx)
        caller.client.after_commit(fails, tx=tx)
        caller.client.after_commit(caller.note(2), tx=tx)
    assert await caller.settled() == [2]
    assert (await caller.client.chain(chain)).chain_id == chain.id
    assert [record.levelno for record in caplog.records if "fails" in record.getMessage()] == [logging.ERROR]


async def test_a_callback_runs_in_the_context_in_which_it_was_hung(caller: Caller) -> None:
    user = ContextVar("user", default="nobody")
    user.set("ada")
    async with caller.transaction() as tx:
        caller.client.after_commit(lambda: caller.ran.append(user.get()), tx=tx)
        user.set("eve")
    assert await caller.settled() == ["ada"]


async def test_a_callback_may_write(caller: Caller) -> None:
    async def starts() -> None:
        caller.ran.append((await caller.client.start(echo, 1)).id)

    async with caller.transaction() as tx:
        caller.client.after_commit(starts, tx=tx)
    await until(lambda: caller.ran)
    assert (await caller.client.chain(str(caller.ran[0]))).type == "echo"


async def test_the_end_of_a_client_waits_for_callbacks_that_run(caller: Caller) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def waits() -> None:
        begun.set()
        await go_on.wait()
        caller.ran.append(1)

    async with caller.transaction() as tx:
        caller.client.after_commit(waits, tx=tx)
    await begun.wait()
    closing = asyncio.create_task(caller.client.aclose())
    await asyncio.wait([closing], timeout=0.02)
    assert not closing.done()
    go_on.set()
    await closing
    assert caller.ran == [1]


async def test_callbacks_follow_what_otelq_itself_has_to_tell() -> None:
    sdk, seen = Sdk(), list[int]()
    async with otelq.connect("memory://", tracer_provider=sdk.tracers, meter_provider=sdk.meters) as client:
        async with client.transaction() as tx:
            client.after_commit(lambda: seen.append(len(sdk.named("enqueue echo"))), tx=tx)
            await client.start(echo, 1, tx=tx)
        await until(lambda: seen)
    sdk.shutdown()
    assert seen == [1]


# Where none is named


async def test_without_tx_a_callback_belongs_to_the_clients_transaction(backend: str) -> None:
    ran = list[int]()
    async with otelq.connect(backend) as client:
        with suppress(RollBack):
            async with client.transaction():
                otelq.after_commit(lambda: ran.append(1))
                raise RollBack
        async with client.transaction():
            otelq.after_commit(lambda: ran.append(2))
            assert ran == []
        await until(lambda: ran)
    assert ran == [2]


async def test_without_tx_a_callback_of_a_handler_belongs_to_its_completion(backend: str) -> None:
    ran, writers = list[int](), otelq.Jobs()

    @writers.job("writer", retry=ONCE)
    async def writer(attempt: otelq.Attempt[int]) -> None:
        await attempt.completion()
        otelq.after_commit(lambda: ran.append(attempt.input))
        if attempt.input == 1:
            raise ZeroDivisionError

    async with otelq.connect(backend) as client, otelq.Worker(client, writers):
        await ended(client, await client.start(writer, 1))
        await client.result(await client.start(writer, 2), timeout=10)
        await until(lambda: ran)
    assert ran == [2]


async def test_outside_of_everything_a_callback_is_refused_and_the_fix_is_named(backend: str) -> None:
    async with otelq.connect(backend) as client:
        async with client.transaction():
            pass
        with pytest.raises(
            otelq.InvalidArgument, match=r"callback: belongs to no transaction; .*client\.transaction\(\)"
        ):
            otelq.after_commit(list)
        with pytest.raises(otelq.InvalidArgument, match="tx: "):
            client.after_commit(list, tx=object())
        with pytest.raises(otelq.InvalidArgument, match="callback: is 'text'"):
            otelq.after_commit("text")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]  # what it refuses


# In blocks, and on a driver that tells nothing


class Bare:
    """An application with a connection of its own."""

    def __init__(self, client: otelq.Client, connection: Any) -> None:
        self.client = client
        self.connection = connection
        self.ran: list[object] = []

    def hang(self, name: object, *, tx: object = None) -> None:
        if tx is None:
            otelq.after_commit(lambda: self.ran.append(name))
        else:
            self.client.after_commit(lambda: self.ran.append(name), tx=tx)

    @asynccontextmanager
    async def transaction(self, *, commit: bool = True) -> AsyncGenerator[Any]:
        is_sqlite = isinstance(self.connection, aiosqlite.Connection)
        await self.connection.execute("BEGIN IMMEDIATE" if is_sqlite else "BEGIN")
        yield self.connection
        await self.connection.execute("COMMIT" if commit else "ROLLBACK")


@pytest.fixture(params=["aiosqlite", "psycopg"])
async def bare(request: pytest.FixtureRequest, tmp_path: Path, postgres_server: StartServer) -> AsyncIterator[Bare]:
    """An application on each driver that does not tell of its commits."""
    if request.param == "psycopg":
        server = postgres_server(18)
        url = server.create_migrated_database()
        async with (
            otelq.connect(url) as client,
            await psycopg.AsyncConnection.connect(url, autocommit=True) as connection,
        ):
            yield Bare(client, connection)
        server.drop_database(url)
        return
    async with (
        otelq.connect(f"sqlite:///{tmp_path}/otelq.db") as client,
        aiosqlite.connect(tmp_path / "otelq.db", isolation_level=None) as connection,
    ):
        yield Bare(client, connection)


async def test_the_end_of_a_block_stands_for_the_commit(bare: Bare) -> None:
    async with otelq.after_commit():
        async with bare.transaction() as tx:
            bare.hang("named", tx=tx)
            bare.hang("unnamed")
        assert bare.ran == []
    assert bare.ran == ["named", "unnamed"]


async def test_a_block_that_is_left_by_an_exception_drops_its_callbacks(bare: Bare) -> None:
    with suppress(RollBack):
        async with otelq.after_commit():
            async with bare.transaction(commit=False) as tx:
                bare.hang("named", tx=tx)
                bare.hang("unnamed")
            raise RollBack
    assert bare.ran == []


async def test_a_rollback_of_what_otelq_wrote_is_found_out(bare: Bare) -> None:
    async with otelq.after_commit(), bare.transaction(commit=False) as tx:
        await bare.client.start(echo, 1, tx=tx)
        bare.hang("named", tx=tx)
        bare.hang("unnamed")
    assert bare.ran == []


async def test_a_commit_of_what_otelq_wrote_runs_them(bare: Bare) -> None:
    async with otelq.after_commit(), bare.transaction() as tx:
        await bare.client.start(echo, 1, tx=tx)
        bare.hang("named", tx=tx)
        bare.hang("unnamed")
    assert bare.ran == ["named", "unnamed"]


async def test_a_block_in_a_block_is_a_savepoint(bare: Bare) -> None:
    async with otelq.after_commit():
        async with bare.transaction() as tx:
            bare.hang(1)
            with suppress(RollBack):
                async with otelq.after_commit():
                    bare.hang(2, tx=tx)
                    bare.hang(3)
                    raise RollBack
            async with otelq.after_commit():
                bare.hang(4, tx=tx)
            assert bare.ran == []
        bare.hang(5)
    assert bare.ran == [1, 4, 5]


async def test_a_block_in_the_clients_transaction_is_a_savepoint_of_it(caller: Caller) -> None:
    for commit in (True, False):
        with suppress(RollBack):
            async with caller.client.transaction():
                async with otelq.after_commit():
                    otelq.after_commit(caller.note(commit))
                with suppress(RollBack):
                    async with otelq.after_commit():
                        otelq.after_commit(caller.note("dropped"))
                        raise RollBack
                assert True not in caller.ran or not commit
                if not commit:
                    raise RollBack
    assert await caller.settled() == [True]


async def test_a_transaction_that_outlives_its_block_runs_nothing(bare: Bare, caplog: pytest.LogCaptureFixture) -> None:
    async with bare.transaction() as tx, otelq.after_commit():
        bare.hang(1, tx=tx)
    assert bare.ran == []
    assert "its transaction is open at the end of the block" in caplog.text


async def test_a_driver_that_tells_nothing_needs_a_block(bare: Bare) -> None:
    async with bare.transaction() as tx:
        with pytest.raises(otelq.InvalidArgument, match=r"tx: does not report its end; open `async with otelq"):
            bare.hang(1, tx=tx)


async def test_a_block_knows_of_rollbacks_that_the_driver_told(caller: Caller) -> None:
    async with otelq.after_commit(), caller.transaction(commit=False) as tx:
        await caller.client.start(echo, 1, tx=tx)
        async with otelq.after_commit():
            caller.client.after_commit(caller.note("in the transaction"), tx=tx)
    assert await caller.settled() == []


# Where the end is not known


class Doubtful(AiosqliteOwnedTransaction):
    """A transaction of whose end the driver says that it is not known."""

    def watch(self, ended: Callable[[Ending], None]) -> bool:
        return super().watch(lambda _: ended(Ending.UNKNOWN))


class Unsure(PrivateState):
    """A store whose callers' connections die round every commit."""

    def join(self, tx: object) -> Doubtful:
        return seen_as(Doubtful, super().join(tx))


@pytest.mark.parametrize("commit", [True, False])
async def test_where_the_end_is_not_known_a_callback_shares_the_fate_of_what_otelq_wrote(commit: bool) -> None:
    ran = list[int]()
    async with otelq.connect(Unsure()) as client:
        with suppress(RollBack):
            async with client.transaction() as tx:
                client.after_commit(lambda: ran.append(1), tx=tx)
                await client.start(echo, 1, tx=tx)
                if not commit:
                    raise RollBack
    assert ran == [1] * commit


async def test_where_nothing_can_be_known_a_callback_does_not_run(caplog: pytest.LogCaptureFixture) -> None:
    ran = list[int]()
    caplog.set_level(logging.WARNING, logger="otelq")
    async with otelq.connect(Unsure()) as client:
        async with client.transaction() as tx:
            client.after_commit(lambda: ran.append(1), tx=tx)
        await until(lambda: "whether its transaction was committed is not known" in caplog.text)
    assert ran == []
