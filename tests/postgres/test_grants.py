"""The rights that the guide on security lists are enough for what each role is for, and for nothing else."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import asyncpg
import pytest

import otelq
from otelq.postgres.rights import with_grants
from otelq.postgres.state import PostgresState

from ..cli.pages import Page
from ..cli.shell import ROOT

GUIDE = Page(ROOT / "docs/guides/security.md")
ONCE, AFTER_MIGRATION = (text for kind, text in GUIDE.blocks if kind == "sql")
jobs = otelq.Jobs()


@jobs.job("note.write", retry=otelq.RetryPolicy(max_attempts=2, initial=0.01))
async def write(attempt: otelq.Attempt[str]) -> str | otelq.Continue[str]:
    if attempt.input == "bad" or (attempt.input == "shaky" and attempt.number == 1):
        raise ValueError("unwritable")
    if attempt.input == "twice":
        return otelq.Continue(write, "once")
    await attempt.completion()
    return attempt.input


@dataclass
class World:
    """A database with the roles, and chains that stand in every way."""

    url: str
    prefix: str
    done: otelq.Chain[str]
    spare: otelq.Chain[str]
    failed: otelq.Chain[str]
    waiting: list[otelq.Chain[str]]

    def login(self, role: str) -> str:
        return self.url.replace("//postgres@", f"//{self.prefix}_{role}_login@")


@pytest.fixture
async def world(empty_postgres_url: str) -> AsyncIterator[World]:
    prefix = f"o{secrets.token_hex(4)}"
    names = [f"{prefix}_{role}" for role in ROLES]
    owner = await asyncpg.connect(empty_postgres_url)
    await owner.execute(_named(ONCE, prefix))
    try:
        for name in names:
            await owner.execute(f"CREATE ROLE {name}_login LOGIN IN ROLE {name}")
        yield await _filled(empty_postgres_url, prefix)
    finally:
        for name in [*(f"{name}_login" for name in names), *names]:
            await owner.execute(f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")
        await owner.close()


async def _filled(url: str, prefix: str) -> World:
    migrator = url.replace("//postgres@", f"//{prefix}_migrate_login@")
    async with otelq.connect(migrator) as client, otelq.Worker(client, jobs, poll_interval=0.05):
        done, spare, failed = await client.start_many(write, ["well", "well", "bad"])
        waiting = await client.start_many([otelq.Start(write, "later", delay=3600) for _ in range(6)])
        await client.result(done, timeout=10)
        await client.result(spare, timeout=10)
        with pytest.raises(otelq.ChainFailed):
            await client.result(failed, timeout=10)
    connection = await asyncpg.connect(migrator)
    await connection.execute(_named(AFTER_MIGRATION, prefix))
    await connection.close()
    return World(url, prefix, done, spare, failed, waiting)


def _named(script: str, prefix: str) -> str:
    """The script for roles that no other test has."""
    return re.sub(r"\botelq_(?=migrate|produce|work|observe)", f"{prefix}_", script)


Verb = Callable[[otelq.Client, World], Awaitable[object]]


async def start_in_transaction(client: otelq.Client, world: World) -> None:
    async with client.transaction() as tx:
        chain = await client.start(write, "one", tx=tx)
        await client.start(write, "two", tx=tx, blockers=[chain], dedup=otelq.Dedup("tx", scope="any"))


async def start_with_a_lost_blocker(client: otelq.Client, world: World) -> None:
    await client.start(write, "lost", blockers=[world.failed], dedup=otelq.Dedup("lost"))


async def start_with_a_key_that_is_taken(client: otelq.Client, world: World) -> None:
    first = await client.start(write, "key", dedup=otelq.Dedup("window", window=0.001))
    await client.start(write, "key", dedup=otelq.Dedup("window", exclude=[first]))


async def complete_into_a_wait(client: otelq.Client, world: World) -> None:
    await client.start(write, "dependent", blockers=[world.waiting[4]])
    await client.complete(world.waiting[4], otelq.Continue(write, "then", blockers=[world.waiting[5]]), step=write)


async def work(client: otelq.Client, world: World) -> None:
    async with otelq.Worker(client, jobs, poll_interval=0.05):
        chains = await client.start_many(write, ["shaky", "twice", "once"])
        after = await client.start(write, "after", blockers=chains)
        await client.result(after, timeout=10)
        while not await client.workers():  # noqa: ASYNC110  # the keeper's connection writes
            await asyncio.sleep(0.005)
    assert await client.workers() == []


async def lead(client: otelq.Client, world: World) -> None:
    leader = await client.engine.state.lead("sweep", holder="a", seconds=30)
    assert leader is not None
    await client.engine.state.resign(leader)


async def read_the_view(client: otelq.Client, world: World) -> None:
    connection = await asyncpg.connect(world.login("observe"))
    assert await connection.fetchval("SELECT count(*) FROM otelq.jobs") >= 3
    await connection.close()


ASK: dict[str, Verb] = {
    "chain": lambda client, world: client.chain(world.done),
    "jobs": lambda client, world: client.jobs(text="well"),
    "chains": lambda client, world: client.chains(blocked_by=world.done),
    "count": lambda client, world: client.count(status="failed"),
    "attempts": lambda client, world: client.attempts(f"{world.failed.id}.0"),
    "explain": lambda client, world: client.explain(world.waiting[0]),
    "result": lambda client, world: client.result(world.done, timeout=5),
    "workers": lambda client, world: client.workers(),
}
PRODUCE: dict[str, Verb] = {
    "start": lambda client, world: client.start(write, "new", delay=60, expires=120),
    "start_many": lambda client, world: client.start_many(write, ["many"] * 501),
    "start in a transaction": start_in_transaction,
    "start with blockers": lambda client, world: client.start(write, "x", blockers=[world.waiting[0], world.done]),
    "start that fails at once": start_with_a_lost_blocker,
    "start with a dedup key": start_with_a_key_that_is_taken,
}
OPERATE: dict[str, Verb] = {
    "trigger": lambda client, world: client.trigger(world.waiting[0]),
    "amend": lambda client, world: client.amend(world.waiting[1], input="other", step=write, priority=1),
    "cancel": lambda client, world: client.cancel(world.waiting[2]),
    "complete": lambda client, world: client.complete(world.waiting[3], "said", step=write),
    "complete into a wait": complete_into_a_wait,
    "redrive": lambda client, world: client.redrive(world.failed),
    "delete": lambda client, world: client.delete(world.spare),
}
ROLES = {
    "migrate": (ASK | PRODUCE | OPERATE, {}),
    "produce": (ASK | PRODUCE, OPERATE),
    "work": (ASK | PRODUCE | OPERATE | {"work": work, "lead": lead}, {}),
    "observe": (ASK | {"the view": read_the_view}, PRODUCE | OPERATE),
}


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_may_do_what_it_is_for(world: World, role: str) -> None:
    allowed, _ = ROLES[role]
    failed: dict[str, str] = {}
    async with otelq.connect(world.login(role)) as client:
        for name, verb in allowed.items():
            try:
                await verb(client, world)
            except otelq.OtelqError as error:
                failed[name] = str(error)
    assert failed == {}


@pytest.mark.parametrize("role", ["produce", "observe"])
async def test_a_role_may_do_nothing_else(world: World, role: str) -> None:
    _, refused = ROLES[role]
    async with otelq.connect(world.login(role)) as client:
        for verb in refused.values():
            with pytest.raises(otelq.OtelqError, match="permission denied"):
                await verb(client, world)


async def test_a_worker_with_the_rights_of_the_guide_is_not_said_to_lack_any(world: World) -> None:
    async with otelq.connect(world.login("work")) as client:
        state = client.engine.state
        assert isinstance(state, PostgresState)
        assert await with_grants("refused", state._database) == "refused"
