"""Transactions that end in the wrong way, and adapters that do not open or close as they should."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from otelq.errors import InvalidArgument
from otelq.ports.state import Ending

from .adapter import AiosqliteOwnedTransaction, SqliteDatabase, SqliteState, Transactions, reads, shared_connection
from .planting import Faults

faults = Faults()
faults.statements(
    overlooks_a_redrive=("were_committed", "outcome.redriven_at = item.value ->> 2", "false"),
    takes_any_redrive_for_this_one=("were_committed", "AND outcome.redriven_at = item.value ->> 2", ""),
)


@faults.instead_of(reads._is_present)
def calls_nothing_committed(real: Any, *row: object) -> bool:
    return False


@faults.instead_of(AiosqliteOwnedTransaction._roll_back)
def rolls_nothing_back(real: Any, self: Any, connection: sqlite3.Connection) -> None:
    connection.execute("COMMIT")


@faults.instead_of(shared_connection.undo_verb)
def breaks_a_transaction_with_a_refusal(real: Any, connection: sqlite3.Connection) -> None:
    connection.execute("ROLLBACK")


@faults.instead_of(SqliteDatabase.read)
async def shows_what_is_not_committed(real: Any, self: Any, tx: Any, *question: object) -> Any:
    return await real(self, tx or self.transactions._current, *question)


@faults.instead_of(SqliteDatabase.read)
async def shows_nothing_of_an_open_transaction(real: Any, self: Any, tx: object, *question: object) -> Any:
    return await real(self, None, *question)


@faults.instead_of(AiosqliteOwnedTransaction._on_statement)
def ignores_savepoints(real: Any, self: object, sql: str) -> None:
    return None


@faults.instead_of(AiosqliteOwnedTransaction.watch)
def notifies_watchers_at_once(real: Any, self: object, ended: Callable[[Ending], None]) -> bool:
    ended(Ending.COMMITTED)
    return True


@faults.instead_of(AiosqliteOwnedTransaction.active)
def stays_active(real: Any, self: object) -> bool:
    return True


@faults.instead_of(Transactions.join)
def joins_anything(real: Any, self: Any, tx: Any) -> Any:
    with suppress(Exception):
        return real(self, tx)
    return tx


@faults.instead_of(Transactions.check)
def begins_any_kind(real: Any, self: object, kind: object) -> None:
    return None


@faults.instead_of(SqliteState.sibling)
def is_its_own_sibling(real: Any, self: Any) -> Any:
    return self


@faults.instead_of(SqliteState.close)
async def closes_once(real: Any, self: Any) -> None:
    if self._opened is None:
        raise RuntimeError("closed already")
    await real(self)


@faults.instead_of(Transactions._locked)
def begins_no_second_transaction(real: Any, self: Any) -> Any:
    if self._lock.locked():
        raise InvalidArgument("tx", "another is open")
    return real(self)


@faults.instead_of(SqliteState.truncate_all)
async def truncates_nothing(real: Any, self: object) -> None:
    return None
