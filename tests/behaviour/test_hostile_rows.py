"""
Whatever a row holds, one attempt at most fails, and its slot is free again.

Values that otelq never writes are written into every column of every table, by SQL, beside otelq: into the rows of
chains in all situations. What a constraint refuses is left out. Then a worker goes on.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

import otelq
from otelq.model import ClaimRequest, WorkerBeat
from tests.conftest import StartServer

from .support import AT_ONCE, until

SEED = 7
PATIENCE = 20
SLOTS = 8

DEEP = '{"zz":' + "[" * 3000 + "]" * 3000 + "}"
TEXTS = [
    "",
    "a word that nobody knows",
    "a\x1b[2J\nERROR forged\r",
    "\u202e\u2028",
    "x" * 100_000,
    "\x01",
    "[]",
    '{"c":1}',
    '{"c":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","o":-5,"e":1e308,"b":{"tenant":"a\\r\\nb: c"}}',
    DEEP,
    "cancelled",
    "any",
]
JSONS = [
    "null",
    "[]",
    "{}",
    "5",
    "1e400",
    "-1e-400",
    '"x"',
    '"\\ud800"',
    '"\\u0000"',
    '{"tags":5}',
    '{"tags":{"a":1},"request_id":7}',
    '{"tags":null,"headers":[],"tenant":{},"request_id":"a\\nb"}',
    json.dumps({"tags": {"k" * 5000: "v\x1b" * 5000}, "tenant": "t\r\n" * 5000}),
    DEEP,
    json.dumps("x" * 2_000_000),
]
NUMBERS = [-(2**63), -(2**31), -1, 0, 1, 2, 1000, 32767, 2**31 - 1, 2**53, 2**63 - 1]
MOMENTS = [
    "-infinity",
    "infinity",
    "4713-01-01 BC",
    "0001-01-01 BC",
    "0001-01-01",
    "1969-12-31",
    "9999-12-31",
    "99999-01-01",
]
IDS = [
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "0198c0de-0000-7000-8000-000000000001",
]
RAW = [b"\xff\xfe", b"a\x00b", b"\xed\xa0\x80"]
"""Bytes that SQLite takes for text."""

jobs = otelq.Jobs()


@jobs.job("poison", retry=AT_ONCE, lease=60)
async def poison(attempt: otelq.Attempt[str]) -> int:
    match attempt.input:
        case "fail":
            raise ValueError("no")
        case "continue":
            return attempt.continue_with(later, 1, delay=3600)  # type: ignore[return-value]  # of the same output
        case _:
            return 1


@jobs.job("later")
async def later(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


@jobs.job("good")
async def good(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


@dataclass(frozen=True)
class Column:
    table: str
    name: str
    kind: str
    """As the catalog names its type."""


class Store(ABC):
    """A database as somebody reaches it who is not otelq."""

    url: str

    @abstractmethod
    async def columns(self) -> list[Column]:
        """All columns of all tables."""

    @abstractmethod
    def values(self, column: Column) -> Sequence[Any]:
        """What is tried there."""

    @abstractmethod
    async def chains(self, table: str) -> list[str]:
        """Chains that have rows there."""

    @abstractmethod
    async def write(self, column: Column, chain: str, value: Any) -> bool:
        """Write the value into the rows of a chain; False if it is refused."""

    @abstractmethod
    async def let_go(self, chains: Sequence[str]) -> None:
        """Say that those who wait for these chains were not told of their ends yet."""


class Postgres(Store):
    def __init__(self, url: str, connection: asyncpg.Connection) -> None:
        self.url = url
        self._connection = connection

    async def columns(self) -> list[Column]:
        found = await self._connection.fetch(
            "SELECT c.relname, a.attname, format_type(a.atttypid, NULL) FROM pg_attribute a JOIN pg_class c ON"
            " c.oid = a.attrelid WHERE c.relnamespace = 'otelq'::regnamespace AND c.relkind = 'r' AND a.attnum > 0"
        )
        return [Column(*row) for row in found if row[0] not in NOT_ROWS]

    def values(self, column: Column) -> Sequence[Any]:
        match column.kind:
            case "jsonb":
                return [*JSONS, None]
            case "timestamp with time zone":
                return [*MOMENTS, None]
            case "uuid":
                return [*IDS, None]
            case "boolean":
                return ["true", "false", None]
            case "text":
                return [*TEXTS, None]
            case _:
                return [*map(str, NUMBERS), None]

    async def chains(self, table: str) -> list[str]:
        key = _key(table)
        found = await self._connection.fetch(f"SELECT DISTINCT {key}::text FROM otelq.{table} ORDER BY 1")
        return [row[0] for row in found]

    async def write(self, column: Column, chain: str, value: Any) -> bool:
        sql = (
            f"UPDATE otelq.{column.table} SET {column.name} = $1::text::{column.kind}"
            f" WHERE {_key(column.table)} = $2::text::{'text' if column.table in KEYS else 'uuid'}"
        )
        try:
            await self._connection.execute(sql, value, chain)
        except asyncpg.PostgresError:
            return False
        return True

    async def let_go(self, chains: Sequence[str]) -> None:
        sql = "INSERT INTO otelq.pending_unblock (blocker_id, since) SELECT unnest($1::uuid[]), now()"
        await self._connection.execute(sql, chains)


def _text(stored: bytes) -> str:
    return stored.decode(errors="replace")


class Sqlite(Store):
    def __init__(self, path: Path) -> None:
        self.url = f"sqlite:///{path}"
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=20)
        self._connection.text_factory = _text

    def close(self) -> None:
        self._connection.close()

    def _run(self, sql: str, *values: Any) -> list[Any]:
        return self._connection.execute(sql, values).fetchall()

    async def columns(self) -> list[Column]:
        found = self._run(
            "SELECT substr(m.name, 7), c.name, c.type FROM sqlite_schema m, pragma_table_info(m.name) c"
            " WHERE m.type = 'table' AND m.name LIKE 'otelq!_%' ESCAPE '!'"
        )
        return [Column(*row) for row in found if row[0] not in NOT_ROWS]

    def values(self, column: Column) -> Sequence[Any]:
        if column.kind == "INTEGER":
            return [*NUMBERS, None]
        return [*TEXTS, *JSONS, *IDS, *RAW, None]

    async def chains(self, table: str) -> list[str]:
        key = KEYS.get(table, "chain_id")
        return [row[0] for row in self._run(f"SELECT DISTINCT {key} FROM otelq_{table} ORDER BY 1")]

    async def write(self, column: Column, chain: str, value: Any) -> bool:
        given = "CAST(? AS TEXT)" if isinstance(value, bytes) else "?"
        try:
            key = KEYS.get(column.table, "chain_id")
            self._run(f"UPDATE otelq_{column.table} SET {column.name} = {given} WHERE {key} = ?", value, chain)
        except (sqlite3.IntegrityError, sqlite3.OperationalError):
            return False
        return True

    async def let_go(self, chains: Sequence[str]) -> None:
        for chain in chains:
            self._run("INSERT INTO otelq_pending_unblock VALUES (?)", chain)


KEYS = {"worker": "id", "leader": "name"}
"""The keys of tables whose rows belong to no chain."""
NOT_ROWS = {"cycle_check", "migration", "migrations", "schema_version", "version"}


def _key(table: str) -> str:
    return "blocker_id" if table == "pending_unblock" else KEYS.get(table, "chain_id")


@pytest.fixture(params=["sqlite", "postgres18"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "sqlite":
        with closing(Sqlite(tmp_path / "otelq.db")) as store:
            yield store
        return
    start: StartServer = request.getfixturevalue("postgres_server")
    server = start(18)
    url = server.create_migrated_database()
    connection = await asyncpg.connect(url)
    try:
        yield Postgres(url, connection)
    finally:
        await connection.close()
        server.drop_database(url)


async def populate(client: otelq.Client, store: Store, size: int) -> None:
    """Chains in all situations, so many of each."""
    async with otelq.Worker(client, jobs, concurrency=20):
        ending = [what for what in ("complete", "fail", "continue") for _ in range(size)]
        keys = (otelq.Dedup(f"closed {n}", scope="any") for n in range(len(ending)))
        closed = await client.start_many(
            [otelq.Start(poison, what, dedup=key) for what, key in zip(ending, keys, strict=True)]
        )
        for chain in closed[: 2 * size]:
            with suppress(otelq.ChainFailed):
                await client.result(chain)
        continued = closed[2 * size :]
        for chain in continued:
            while (await client.chain(chain)).tail.position == 0:  # noqa: ASYNC110  # no event tells of it
                await asyncio.sleep(0.002)
    slow = await client.start_many([otelq.Start(later, n, delay=3600) for n in range(size)])
    await client.start_many([otelq.Start(poison, "blocked", blockers=[blocker]) for blocker in slow])
    await client.start_many(poison, ["leased"] * size)
    gone = [ClaimRequest(type="poison", limit=size, lease=0.001)]
    await client.engine.state.claim(gone, worker="gone", token=11, include_suspect=True)
    await client.start_many(
        [otelq.Start(poison, "ready", dedup=otelq.Dedup(f"open {n}"), expires=3600) for n in range(size)]
    )
    await store.let_go([chain.id for chain in closed[:size]])


async def spoil(store: Store, columns: Sequence[Column]) -> dict[str, tuple[Column, Any]]:
    """Write one value into one column of one chain, for each column and value; what was written where."""
    chance = random.Random(SEED)
    written: dict[str, tuple[Column, Any]] = {}
    for column in columns:
        chains = [chain for chain in await store.chains(column.table) if chain not in written]
        chance.shuffle(chains)
        for value in store.values(column):
            if chains and await store.write(column, chains[-1], value):
                written[chains.pop()] = column, value
    return written


async def works_on(client: otelq.Client) -> None:
    """Let a worker go on with whatever is there, until all that it can do is done."""
    async with otelq.Worker(client, jobs, concurrency=SLOTS, poll_interval=0.05, reap_interval=0.05, grace=1) as worker:
        for n in range(3):
            assert await client.result(await client.start(good, n), timeout=PATIENCE) == n
        async with asyncio.timeout(PATIENCE):
            await until(lambda: worker._current is None or worker._current.slots.free == SLOTS)  # pyright: ignore[reportPrivateUsage]  # as no option shows


READS = ["chain", "attempts", "blockers", "job", "explain", "chain_jobs", "result"]
VERBS = [*READS, "trigger", "amend", "copy", "complete", "take_over", "redrive", "cancel", "delete"]


def ask(client: otelq.Client, verb: str, id: str) -> Any:
    """Call a verb of the client about a chain."""
    chain = otelq.Chain(id, poison)
    match verb:
        case "attempts" | "blockers" | "job":
            return getattr(client, verb)(f"{id}.0")
        case "result":
            return client.result(chain, timeout=0)
        case "amend":
            return client.amend(chain, priority=5)
        case "complete":
            return client.complete(chain, 1, step=poison)
        case _:
            return getattr(client, verb)(chain)


async def answers(client: otelq.Client, ids: Sequence[str]) -> dict[str, str]:
    """What the client raises about these chains that is no error of otelq's, by the chain."""
    wrong: dict[str, str] = {}

    async def call(verb: str, id: str) -> None:
        try:
            await ask(client, verb, id)
        except (otelq.OtelqError, TimeoutError):
            pass
        except Exception as error:
            wrong[id] = f"{verb}: {error!r}"[:300]

    for verb in VERBS:
        await asyncio.gather(*(call(verb, id) for id in ids))
    return wrong


async def lists(client: otelq.Client) -> None:
    """Ask for all there is."""
    assert [job async for job in client.iterate_jobs()]
    assert [chain async for chain in client.iterate_chains(tags={"k": "v"})] == []
    assert [chain async for chain in client.iterate_chains()]
    for of in ("jobs", "chains"):
        await client.count(of=of, status="open", tenant="t")


TABLES = ["job", "open_job", "outcome", "attempt", "blocker", "dedup_key", "pending_unblock"]


async def test_these_are_all_tables(store: Store) -> None:
    async with otelq.connect(store.url):
        assert {column.table for column in await store.columns()} == {*TABLES, *KEYS}


@pytest.mark.parametrize("table", TABLES)
async def test_whatever_a_row_holds_the_worker_goes_on(
    store: Store, table: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "otelq.worker")
    async with otelq.connect(store.url) as client:
        columns = [column for column in await store.columns() if column.table == table]
        need = sum(len(store.values(column)) for column in columns)
        await populate(client, store, 1 + need // 4)
        written = await spoil(store, columns)
        assert written
        await works_on(client)
        await lists(client)
        wrong = await answers(client, [*written])
    assert not wrong, "\n".join(f"{text} after {str(written[id])[:200]}" for id, text in wrong.items())
    assert [str(record.exc_text)[-300:] for record in caplog.records if record.name == "otelq.loop"] == []


async def test_whatever_a_workers_row_holds_the_others_are_listed(store: Store) -> None:
    async with otelq.connect(store.url) as client:
        columns = [column for column in await store.columns() if column.table == "worker"]
        need = sum(len(store.values(column)) for column in columns)
        usual = WorkerBeat(id="", name="other", host="elsewhere.example", pid=7, version="1", slots=1)
        await client.engine.state.beat([replace(usual, id=f"{n:04}") for n in range(need)])
        assert await spoil(store, columns)
        chain = await client.start(good, 1, delay=3600)
        async with otelq.Worker(client, jobs, name="sound"):
            while "sound" not in {worker.name for worker in await client.workers()}:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.002)
            assert str(await client.explain(chain))
        assert "sound" not in {worker.name for worker in await client.workers()}


async def test_whatever_a_leaders_row_holds_the_others_can_be_had(store: Store) -> None:
    async with otelq.connect(store.url) as client:
        columns = [column for column in await store.columns() if column.table == "leader"]
        need = sum(len(store.values(column)) for column in columns)
        state = client.engine.state
        for n in range(need):
            await state.lead(f"{n:04}", holder="one", seconds=30)
        assert await spoil(store, columns)
        for n in range(need):
            with suppress(otelq.OtelqError):
                await state.lead(f"{n:04}", holder="two", seconds=30)
        assert await state.lead("sound", holder="two", seconds=30)
