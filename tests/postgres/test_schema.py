"""The schema, its migrations, and every statement against it."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from otelq.errors import OtelqError
from otelq.postgres import adapter, claiming, dump
from otelq.postgres.asking import CHAIN_TYPE, OWN_TYPE
from otelq.postgres.database import SKIP, WAIT
from otelq.postgres.queries import Queries, names
from otelq.postgres.settling import UNTIED
from otelq.postgres.starting import PASS_OVER
from otelq.postgres.state import PostgresState

from .conftest import Connect
from .making import job, lease, start, wanted

QUERIES = Queries("otelq")
VARIANTS: dict[str, list[dict[str, str]]] = {
    "create": [{"if_taken": ""}, {"if_taken": PASS_OVER}],
    "close": [{"lock": SKIP, "which": UNTIED}, {"lock": WAIT, "which": ""}],
    "continue": [{"lock": SKIP}, {"lock": WAIT}],
    "put_back": [{"lock": SKIP}, {"lock": WAIT}],
    "hold": [{"lock": WAIT}],
    "hold_dependents": [{"lock": SKIP}, {"lock": WAIT}],
    **{
        f"list_{family}": [{"type": QUERIES.fill(types[family]), "which": ""} for types in (OWN_TYPE, CHAIN_TYPE)]
        for family in OWN_TYPE
    },
}
"""What the tokens of statements stand for, where they have any."""

HOT = {
    "create": ["NULL", *["'{}'"] * 9],
    "claim": ["NULL", "'{a}'", "'{10}'", "'{30}'", "'{60}'", "1", "'w'", "true"],
    "close": ["NULL", "NULL", *["'{}'"] * 7],
    "continue": ["NULL", "NULL", *["'{}'"] * 17],
    "put_back": ["NULL", *["'{}'"] * 8],
    "renew": ["NULL", *["'{}'"] * 4],
    "judge": ["NULL", *["'{}'"] * 3],
    "next_due": ["NULL", "'{a}'"],
    "hold_expired": ["NULL", "'{a}'", "'{}'", "100"],
}
"""The statements that workers send all day, with some arguments."""


@pytest.mark.parametrize("name", names("sql"))
async def test_every_statement_can_be_prepared(state: PostgresState, connect: Connect, name: str) -> None:
    connection = await connect()

    for tokens in VARIANTS.get(name, [{}]):
        text = QUERIES(name, **tokens).text
        assert "{" not in text.replace("'{", "")
        await connection.prepare(text)


@pytest.mark.parametrize("vacuumed", [False, True])
@pytest.mark.parametrize("name", HOT)
async def test_a_hot_statement_reads_no_table_whole_even_while_all_are_empty(
    state: PostgresState, connect: Connect, name: str, vacuumed: bool
) -> None:
    connection = await connect()
    if vacuumed:
        for table in ("open_job", "job", "outcome"):
            await connection.execute(f"VACUUM ANALYZE otelq.{table}")
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    await connection.execute(f"PREPARE hot AS {QUERIES(name, **VARIANTS.get(name, [{}])[0]).text}")

    plan = await connection.fetch(f"EXPLAIN EXECUTE hot ({', '.join(HOT[name])})")

    assert [line for (line,) in plan if "Seq Scan" in line] == []


async def test_several_processes_may_migrate_at_once(postgres_url: str) -> None:
    states = [adapter(postgres_url) for _ in range(5)]

    await asyncio.gather(*(state.open() for state in states))

    assert await start(states[4])
    assert len(await lease(states[0])) == 1
    for state in states:
        await state.close()


async def test_the_script_makes_the_same_schema(postgres_url: str, connect: Connect) -> None:
    await (await connect()).execute(dump("otelq"))

    state = adapter(postgres_url)
    await state.open(migrate=False)
    await start(state)

    assert len(await lease(state)) == 1
    await state.close()


async def test_without_migrating_a_missing_schema_is_an_error_that_names_the_command(postgres_url: str) -> None:
    state = adapter(postgres_url)

    with pytest.raises(OtelqError, match="otelq migrate"):
        await state.open(migrate=False)


async def test_a_schema_that_is_too_old_is_an_error(state: PostgresState, connect: Connect, postgres_url: str) -> None:
    await (await connect()).execute("UPDATE otelq.migration SET version = 0 - version")

    with pytest.raises(OtelqError, match="otelq migrate"):
        await adapter(postgres_url).open(migrate=False)


async def test_two_schemas_in_one_database_know_nothing_of_each_other(postgres_url: str) -> None:
    first, second = adapter(postgres_url, schema="one"), adapter(postgres_url, schema="two")
    await first.open()
    await second.open()
    await start(first)

    assert await lease(second) == []
    assert len(await lease(first)) == 1
    await first.close()
    await second.close()


async def test_the_view_for_people_shows_every_job(state: PostgresState, connect: Connect) -> None:
    blocker = await start(state)
    await state.create([job("b", blockers=(blocker,)), job("c", delay=60.0)])
    await lease(state)

    shown = await (await connect()).fetch("SELECT type, status FROM otelq.jobs ORDER BY type")

    assert [tuple(row) for row in shown] == [("a", "running"), ("b", "blocked"), ("c", "scheduled")]


async def test_a_second_hot_row_for_a_chain_breaks_a_constraint(state: PostgresState, connect: Connect) -> None:
    await start(state)

    with pytest.raises(asyncpg.UniqueViolationError):
        await (await connect()).execute("INSERT INTO otelq.open_job SELECT * FROM otelq.open_job")


async def test_a_claim_is_planned_a_few_times_and_then_no_more(state: PostgresState) -> None:
    await state.create([job(delay=60.0) for _ in range(300)])
    async with state._database.source.loan(atomic=False, timeout=10) as link:
        session = state._database.session(link, None)
        for token in range(10):
            await claiming.claim(session, [wanted()], worker="w", token=token, suspect=True)

        [(planned,)] = await link.fetch(
            "SELECT custom_plans FROM pg_prepared_statements WHERE statement = $1", (QUERIES("claim").text,), timeout=10
        )

    assert planned == 5
