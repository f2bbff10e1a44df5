"""What stands in the database, read beside otelq on a connection of one's own."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import psycopg

# One row for each time that a handler's writes were committed. No unique index: a doubled row must be seen.
LEDGER = "CREATE TABLE ledger (chain_id text, position integer, token bigint, number integer, worker text, call text)"

# The last attempt of a job that failed by it is its outcome's.
# The attempt by which a job closes is a row of its own on SQLite, and part of the outcome on PostgreSQL.
_REAPED = """
SELECT chain_id, worker FROM {attempt} WHERE verb = 'reap'
UNION ALL SELECT chain_id, worker FROM {outcome} WHERE verb = 'reap' AND worker IS NOT NULL
"""


class Observer:
    """Reads leases and the handlers' ledger; opens a connection for each question, so that no restart harms it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite:")
        self._connect: Callable[[], Any] = self._open_sqlite if self.is_sqlite else self._open_postgres

    def make_ledger(self) -> None:
        """Create the table that handlers write into."""
        self.execute(LEDGER)

    def rows(self, query: str) -> Sequence[tuple[Any, ...]]:
        """The rows of a query; ``{open_job}`` and its like stand for otelq's tables."""
        with closing(self._connect()) as connection:
            rows: Sequence[tuple[Any, ...]] = connection.execute(self._named(query)).fetchall()
            return rows

    def execute(self, *statements: str) -> None:
        """Run statements, each a transaction of its own."""
        with closing(self._connect()) as connection:
            for statement in statements:
                connection.execute(self._named(statement))

    def value(self, query: str) -> Any:
        """The only value of a query."""
        return self.rows(query)[0][0]

    def leases(self) -> Counter[str]:
        """How many leases each worker holds, by its name."""
        return Counter(
            dict(self.rows("SELECT leased_by, count(*) FROM {open_job} WHERE token IS NOT NULL GROUP BY leased_by"))
        )

    def open_chains(self) -> int:
        """How many chains have not ended."""
        return int(self.value("SELECT count(*) FROM {open_job}"))

    def statuses(self) -> Counter[str]:
        """How many jobs closed in each status."""
        return Counter(dict(self.rows("SELECT status, count(*) FROM {outcome} GROUP BY status")))

    def reaped(self) -> list[tuple[str, str]]:
        """Chain and worker of each attempt that was reaped, its worker having let the lease run out."""
        return [(str(chain), worker) for chain, worker in self.rows(_REAPED)]

    def ledger(self) -> list[tuple[str, int, int, str]]:
        """Chain, position, attempt number and worker of each row that was committed."""
        return list(self.rows("SELECT chain_id, position, number, worker FROM ledger ORDER BY 1, 2"))

    def _named(self, query: str) -> str:
        return re.sub(r"\{(\w+)\}", r"otelq_\1" if self.is_sqlite else r"otelq.\1", query)

    def _open_sqlite(self) -> sqlite3.Connection:
        return sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=10, isolation_level=None)

    def _open_postgres(self) -> psycopg.Connection:
        return psycopg.connect(self.url, autocommit=True)
