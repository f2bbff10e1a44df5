"""The values of an audit: rows that changed, and the moves of jobs behind them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from otelq.model import Status, Verb

Row: TypeAlias = Mapping[str, Any]


class Change(Struct, frozen=True, kw_only=True, gc=False):
    """
    One change of one row, as a trigger recorded it in the same transaction.

    Rows of otelq's own tables are alike on both databases: their times are ``datetime``, and what SQLite calls
    ``blocked_by_count`` and ``waits`` is ``blocked_by`` and ``patient``, as on PostgreSQL.
    """

    seq: int
    """
    From one sequence for all tables, drawn when the row was written: before its commit. Changes of one chain are in
    their true order, because each writer holds its row.
    """
    at: datetime
    """PostgreSQL: when the statement began. SQLite: when the row was written, rounded up to a millisecond."""
    tx: int
    """The transaction. SQLite has no number for it: always 0 there."""
    table: str
    """Without schema or prefix: ``open_job``. A table of the application has its own name."""
    op: Literal["INSERT", "UPDATE", "DELETE"]
    chain_id: str | None
    position: int | None
    """Both as the row has them now, or had them at its deletion; None where it has no such column."""
    old: Row | None
    new: Row | None

    @property
    def row(self) -> Row:
        """Return the row as it is now, or as it was at its deletion."""
        row = self.new if self.new is not None else self.old
        return {} if row is None else row


class AuditedMove(Struct, frozen=True, kw_only=True, gc=False):
    """One move of a job, read from the rows that it changed."""

    verb: Verb
    chain_id: str
    position: int
    type: str
    source: Status | None
    """As at the time of the move; None for ``create``."""
    target: Status | None
    """None for ``delete``."""
    token: int | None
    """The token of the lease that began, ended or was renewed."""
    at: datetime
    seq: int
    tx: int
