"""Every statement compiles, and none walks a table that grows."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from otelq.model import JobQuery, Match, Status
from otelq.sqlite.migrate import dump
from otelq.sqlite.page_statements import page_statements, tokens, values
from otelq.sqlite.statements import SqliteStatements
from otelq.transitions.pages import RecordKind

STATEMENTS = SqliteStatements("jobs_of_shop").texts

SCANS = {
    "lock",  # its WHERE is false
    "read_pending",  # bounded, and the table is as good as empty
    "next_maintenance",  # the same table, and one row of it
    "read_workers",  # all of them, one row each
    "remove_old_workers",  # the same
    *(name for name in STATEMENTS if name.startswith("truncate_")),
}

GROWING = re.compile(
    r"SCAN (main\.)?(jobs_of_shop_\w+|open|job|head|blocker|outcome|attempt|dedup|filtered|tail|next)\b"
)

CHAIN = "0198c0de-0000-7000-8000-000000000000"
FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "types": {"types": ("a",)},
    "chain_types": {"chain_types": ("a",)},
    "queues": {"queues": ("a",)},
    "chain_ids": {"chain_ids": (CHAIN,)},
    "blocked_by": {"blocked_by": CHAIN},
    "tags": {"tags": (("colour", "red"),)},
    "roots": {"roots": True},
    "matches": {"matches": (Match(part="output", path=("a", 1), value="7"),)},
    "text": {"text": "needle"},
}
STATUSES = (frozenset[Status](), frozenset({Status.COMPLETED}), frozenset({Status.FAILED}), frozenset({Status.RUNNING}))


@pytest.fixture(scope="module")
def database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.executescript(dump("jobs_of_shop"))
    yield connection
    connection.close()


@pytest.mark.parametrize("name", STATEMENTS)
def test_the_statement_compiles_and_seeks(database: sqlite3.Connection, name: str) -> None:
    sql = STATEMENTS[name]
    values = dict.fromkeys(re.findall(r":([a-z_]+)", sql), "[]")

    plan = [detail for _, _, _, detail in database.execute(f"EXPLAIN QUERY PLAN {sql}", values)]

    scans = [step for step in plan if GROWING.match(step)]
    assert name in SCANS or [scan for scan in scans if "subquery" not in scan] == expected(name)


@pytest.mark.parametrize("statuses", STATUSES, ids=lambda statuses: "-".join(statuses) or "any")
@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("of", ["jobs", "chains"])
def test_a_page_goes_by_keys(
    database: sqlite3.Connection, of: RecordKind, filter: str, statuses: frozenset[Status]
) -> None:
    for plan in plans(database, JobQuery(statuses=statuses, **FILTERS[filter]), of):
        assert any(step.startswith("SEARCH ") for step in plan)
        assert not [step for step in plan if GROWING.match(step)]
        assert not [step for step in plan if "AUTOMATIC" in step or "BLOOM" in step]


def test_a_page_without_filters_reads_keys_alone(database: sqlite3.Connection) -> None:
    opened, closed = plans(database, JobQuery(), "jobs")

    assert {step for step in opened if "SEARCH" in step} == {
        "SEARCH main.jobs_of_shop_open_job USING PRIMARY KEY (chain_id>? AND chain_id<?)"
    }
    assert all("COVERING INDEX" in step for step in closed if "SEARCH" in step)


def plans(database: sqlite3.Connection, query: JobQuery, of: RecordKind) -> list[list[str]]:
    """How the statements of a page are answered, step by step."""
    queries = SqliteStatements("jobs_of_shop")
    found: list[list[str]] = []
    for walk in page_statements(query, of):
        sql = queries.text("page", **tokens(query, walk, of))
        given = values(query, walk, of) | {"shows": True, "now": 0}
        found.append([detail for *_, detail in database.execute(f"EXPLAIN QUERY PLAN {sql}", given)])
    return found


def expected(name: str) -> list[str]:
    """Walks over rows that an index chose: leased ones, as few as running jobs, or those that expired."""
    match name:
        case "find_leased":
            return ["SCAN open USING INDEX jobs_of_shop_leased"]
        case "find_lost_leases" | "find_expired":
            return ["SCAN open"]
        case _:
            return []


def test_a_claim_uses_the_index_of_its_kind(database: sqlite3.Connection) -> None:
    plans = {
        name: str(
            database.execute(
                f"EXPLAIN QUERY PLAN {STATEMENTS[name]}", {"requests": "[]", "now": 0, "limit": 1}
            ).fetchall()
        )
        for name in ("find_ready", "find_suspect")
    }

    assert "INDEX jobs_of_shop_claimable (type=? AND priority=? AND run_at<?)" in plans["find_ready"]
    assert "INDEX jobs_of_shop_suspect (type=? AND priority=? AND run_at<?)" in plans["find_suspect"]
    assert "claimable" not in plans["find_suspect"]


def test_the_view_for_people_is_not_read_by_the_code() -> None:
    assert not [name for name, sql in STATEMENTS.items() if '"jobs_of_shop_jobs"' in sql]
