"""The parts of the SQLite adapter that faults are planted in: the one place that names its modules."""

from __future__ import annotations

from otelq.sqlite import (
    adapter,
    amend,
    claim,
    close,
    closed_jobs,
    job_records,
    open_jobs,
    page_statements,
    pages,
    reads,
    redrive,
    registry,
    rows,
    settle,
    shared_connection,
    start,
    unblock,
    waits,
)
from otelq.sqlite.database import SqliteDatabase
from otelq.sqlite.owned_transactions import AiosqliteOwnedTransaction
from otelq.sqlite.session import batch
from otelq.sqlite.settle import SettlePlan
from otelq.sqlite.start import _StartBatch as StartBatch
from otelq.sqlite.state import SqliteState
from otelq.sqlite.statements import SqliteStatements, fill, load_templates
from otelq.sqlite.transactions import Transactions
from otelq.sqlite.writer import Writer

__all__ = [
    "AiosqliteOwnedTransaction",
    "SettlePlan",
    "SqliteDatabase",
    "SqliteState",
    "SqliteStatements",
    "StartBatch",
    "Transactions",
    "Writer",
    "adapter",
    "amend",
    "batch",
    "claim",
    "close",
    "closed_jobs",
    "fill",
    "job_records",
    "load_templates",
    "open_jobs",
    "page_statements",
    "pages",
    "reads",
    "redrive",
    "registry",
    "rows",
    "settle",
    "shared_connection",
    "start",
    "unblock",
    "waits",
]
