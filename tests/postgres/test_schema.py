"""The schema, its migrations, and every statement against it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, get_args

import asyncpg
import pytest

from otelq.errors import OtelqError
from otelq.model import CLOSED, JobQuery, Status
from otelq.postgres import adapter, claim, dump
from otelq.postgres.database import SKIP, WAIT
from otelq.postgres.locks import BLOCKER_LOCK, SKIP_LOCKED
from otelq.postgres.page_statements import STATUS, tokens, walks
from otelq.postgres.settle import INDEPENDENT
from otelq.postgres.start import NONE_EXPIRES, SKIP_EXISTING, SOME_EXPIRE
from otelq.postgres.state import PostgresState
from otelq.postgres.statements import PostgresStatements, names
from otelq.transitions.pages import RecordKind

from .conftest import Connect
from .shortcuts import job, lease, start, wanted

QUERIES = PostgresStatements("otelq")
QUERIED = [
    JobQuery(),
    JobQuery(scan_limit=500_000),
    JobQuery(statuses=frozenset({Status.RUNNING})),
    JobQuery(statuses=frozenset({Status.FAILED})),
    JobQuery(statuses=frozenset({Status.FAILED}), types=("a",)),
    JobQuery(statuses=CLOSED),
    JobQuery(chain_ids=("a",)),
    JobQuery(blocked_by="a"),
]
"""Queries that are asked in different ways."""


def _walks() -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for of in get_args(RecordKind):
        for query in QUERIED:
            for walk in walks(query, of):
                found.setdefault(walk.statement, []).append(tokens(QUERIES, query, walk, of))
    return found


NOWHERE = "'00000000-0000-0000-0000-000000000000'"
LOCKS = [{"lock": SKIP}, {"lock": WAIT}]
VARIANTS: dict[str, list[dict[str, str]]] = {
    "create": [{"if_taken": SKIP_EXISTING, "expiry": SOME_EXPIRE}, {"if_taken": "", "expiry": NONE_EXPIRES}],
    "close": [{"lock": SKIP, "condition": INDEPENDENT}, {"lock": WAIT, "condition": ""}],
    "continue": LOCKS,
    "put_back": LOCKS,
    "lock_jobs": LOCKS,
    "lock_blockers": [{"lock": BLOCKER_LOCK}, {"lock": f"{BLOCKER_LOCK} {SKIP_LOCKED}"}],
    "lock_chains_shared": [{"skip": ""}, {"skip": SKIP_LOCKED}],
    "lock_dependents": LOCKS,
    "read_records": [{"status": STATUS}],
    **_walks(),
}
"""What the tokens of statements stand for, where they have any."""

SOUGHT = [NOWHERE, "-1", NOWHERE, "5000", "51", *["'{}'"] * 3, "NULL", "false", *["'{}'"] * 3, "NULL", "'{}'"]
ALL = {
    "create": ["NULL", *["'{}'"] * 10],
    "claim": ["NULL", "'{a}'", "'{10}'", "'{30}'", "'{60}'", "1", "'w'", "true"],
    "close": ["NULL", "NULL", *["'{}'"] * 7],
    "continue": ["NULL", "NULL", *["'{}'"] * 17],
    "put_back": ["NULL", *["'{}'"] * 8],
    "renew": ["NULL", *["'{}'"] * 4],
    "check_conflicts": ["NULL", *["'{}'"] * 3],
    "next_due": ["NULL", "'{a}'"],
    "next_maintenance": ["NULL", "'{a}'", "'{}'"],
    "lock_expired_leases": ["NULL", "'{a}'", "'{}'", "100"],
    "lock_expired_jobs": ["NULL", "100"],
    "create_constrained": ["NULL", *["'{}'"] * 20],
    "lock_jobs": ["NULL", "'{}'"],
    "lock_blockers": ["'{}'"],
    "lock_chains_shared": ["'{}'"],
    "read_outcomes": ["'{}'"],
    "take_keys": ["'{}'"] * 3,
    "read_keys": ["NULL", *["'{}'"] * 2],
    "take_over_keys": ["'{}'"] * 4,
    "free_keys": ["'{}'"],
    "give_back_keys": ["'{}'"] * 3,
    "lock_keys": ["'{}'"],
    "add_blockers": ["'{}'"] * 6,
    "add_more_blockers": ["'{}'"] * 6,
    "count_blockers": ["'{}'"] * 4,
    "find_cycle": ["'{}'"],
    "find_waited_on": ["'{}'"],
    "block": ["NULL", *["'{}'"] * 6],
    "continue_with_blockers": ["NULL", "''", *["'{}'"] * 19],
    "lock_dependents": ["'{}'", "1000"],
    "release_dependents": ["NULL", *["'{}'"] * 3],
    "release_blockers": ["NULL", "'{}'"],
    "add_pending": ["NULL", "'{}'"],
    "redrive": ["NULL", *["'{}'"] * 3],
    "mark_waited_on": ["'{}'"],
    "read_redrive_targets": ["NULL", "'{}'"],
    "read_last_blockers": ["'{}'"],
    "amend": ["NULL", *["'{}'"] * 6],
    "find_all_blockers": ["'{}'"],
    "find_dependent": ["'{}'"],
    "delete": ["NULL", "'{}'"],
    "read_tails": ["NULL", "'{}'"],
    "read_blockers": ["'{}'"] * 2,
    "read_records": ["'{}'"] * 2,
    "read_existing": ["'{}'"] * 2,
    "were_committed": ["'{}'"] * 6,
    "walk_open": SOUGHT,
    "walk_closed": SOUGHT,
    "walk_failed": [*SOUGHT, "'{}'", "'{}'"],
    "walk_chains": [*SOUGHT, "'{}'"],
    "walk_dependents": [*SOUGHT, NOWHERE, "'{}'"],
}
"""Statements that must not depend on how much is stored, with some arguments."""


@pytest.mark.parametrize("name", names("sql"))
async def test_every_statement_can_be_prepared(state: PostgresState, connect: Connect, name: str) -> None:
    connection = await connect()

    for variant in _variants(name):
        text = QUERIES(name, **variant).text
        assert "{" not in text.replace("'{", "")
        await connection.prepare(text)


@pytest.mark.parametrize("vacuumed", [False, True])
async def test_no_statement_reads_a_table_whole_even_while_all_are_empty(
    state: PostgresState, connect: Connect, vacuumed: bool
) -> None:
    connection = await connect()
    if vacuumed:
        for table in ("open_job", "job", "outcome", "blocker"):
            await connection.execute(f"VACUUM ANALYZE otelq.{table}")
    await connection.execute("SET plan_cache_mode = force_generic_plan")

    found = {name: await _whole_tables(connection, name, variant) for name in ALL for variant in _variants(name)}

    assert {name: lines for name, lines in found.items() if lines} == {}


async def _whole_tables(connection: Any, name: str, variant: Mapping[str, str]) -> list[str]:
    """Where the plan of a statement reads all of a table."""
    await connection.execute(f"PREPARE asked AS {QUERIES(name, **variant).text}")
    plan = await connection.fetch(f"EXPLAIN EXECUTE asked ({', '.join(ALL[name])})")
    await connection.execute("DEALLOCATE asked")
    return [line for (line,) in plan if "Seq Scan" in line]


def _variants(name: str) -> list[dict[str, str]]:
    return VARIANTS.get(name, [{}])


async def test_several_processes_may_migrate_at_once(empty_postgres_url: str) -> None:
    states = [adapter(empty_postgres_url) for _ in range(5)]

    await asyncio.gather(*(state.open() for state in states))

    assert await start(states[4])
    assert len(await lease(states[0])) == 1
    for state in states:
        await state.close()


async def test_the_script_makes_the_same_schema(empty_postgres_url: str) -> None:
    connection = await asyncpg.connect(empty_postgres_url)
    await connection.execute(dump("otelq"))
    await connection.close()

    state = adapter(empty_postgres_url)
    await state.open(migrate=False)
    await start(state)

    assert len(await lease(state)) == 1
    await state.close()


async def test_without_migrating_a_missing_schema_is_an_error_that_names_the_command(empty_postgres_url: str) -> None:
    state = adapter(empty_postgres_url)

    with pytest.raises(OtelqError, match="otelq migrate"):
        await state.open(migrate=False)


async def test_a_schema_that_is_too_old_is_an_error(state: PostgresState, connect: Connect, postgres_url: str) -> None:
    await (await connect()).execute("UPDATE otelq.migration SET version = 0 - version")

    with pytest.raises(OtelqError, match="otelq migrate"):
        await adapter(postgres_url).open(migrate=False)


async def test_two_schemas_in_one_database_know_nothing_of_each_other(empty_postgres_url: str) -> None:
    first, second = adapter(empty_postgres_url, schema="one"), adapter(empty_postgres_url, schema="two")
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
            await claim.claim(session, [wanted()], worker="w", token=token, include_suspect=True)

        [(planned,)] = await link.fetch(
            "SELECT custom_plans FROM pg_prepared_statements WHERE statement = $1", (QUERIES("claim").text,), timeout=10
        )

    assert planned == 5
