"""Every statement compiles, and none walks a table that grows."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

import pytest

from otelq.sqlite.migrate import dump
from otelq.sqlite.queries import Queries

STATEMENTS = Queries("jobs_of_shop").texts

WALKS = {
    "lock",  # its WHERE is false
    "pending_look",  # bounded, and the table is as good as empty
    *(name for name in STATEMENTS if name.startswith("truncate_")),
    # Pages by key: they walk until the page is full.
    *(name for name in STATEMENTS if name.startswith(("jobs_", "chains_"))),
}


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

    walks = [
        step for step in plan if re.match(r"SCAN (jobs_of_shop_\w+|open|job|head|edge|outcome|attempt|dedup)\b", step)
    ]
    assert name in WALKS or [walk for walk in walks if "subquery" not in walk] == expected(name)


def expected(name: str) -> list[str]:
    """Walks over rows that an index chose: leased ones, as few as running jobs, or those that expired."""
    match name:
        case "leased_look":
            return ["SCAN open USING INDEX jobs_of_shop_leased"]
        case "reap_expired" | "expire_look":
            return ["SCAN open"]
        case _:
            return []


def test_a_claim_uses_the_index_of_its_kind(database: sqlite3.Connection) -> None:
    plans = {
        name: str(
            database.execute(f"EXPLAIN QUERY PLAN {STATEMENTS[name]}", {"wanted": "[]", "now": 0, "most": 1}).fetchall()
        )
        for name in ("claim_ready", "claim_suspect")
    }

    assert "INDEX jobs_of_shop_claimable (type=? AND priority=? AND run_at<?)" in plans["claim_ready"]
    assert "INDEX jobs_of_shop_suspect (type=? AND priority=? AND run_at<?)" in plans["claim_suspect"]
    assert "claimable" not in plans["claim_suspect"]


def test_the_view_for_people_is_not_read_by_the_code() -> None:
    assert not [name for name, sql in STATEMENTS.items() if '"jobs_of_shop_jobs"' in sql]
