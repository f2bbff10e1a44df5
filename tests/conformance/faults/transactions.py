"""Transactions that end in the wrong way."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from otelq.errors import NotFound
from otelq.ports.state import Ending
from tests.conformance.specimen.asking import Reader
from tests.conformance.specimen.state import MemoryState
from tests.conformance.specimen.tables import Journal, Table
from tests.conformance.specimen.transaction import Joined, MemoryTransaction

from .planting import instead_of, real


@instead_of(Journal, "back_to")
def rolls_nothing_back(self: Any, mark: int) -> None:
    return None


@instead_of(Table, "committed")
def shows_what_is_not_committed(self: Any, key: Any) -> Any:
    return self.get(key)


@instead_of(MemoryState, "_reader")
def shows_nothing_of_an_open_transaction(self: Any, tx: object) -> Reader:
    return Reader(self._store, datetime.now(UTC), inside=False)


@instead_of(MemoryTransaction, "_tell")
def tells_no_watcher(self: Any, ending: Ending, *, since: int) -> None:
    return None


@instead_of(MemoryTransaction, "_tell")
def tells_every_watcher_of_a_commit(self: Any, ending: Ending, *, since: int) -> None:
    real("MemoryTransaction._tell", self, Ending.COMMITTED, since=since)


@instead_of(MemoryTransaction, "watch")
def tells_watchers_at_once(self: Any, ended: Callable[[Ending], None]) -> None:
    ended(Ending.COMMITTED)


@instead_of(MemoryTransaction, "end")
def stays_active(self: Any, ending: Ending) -> None:
    real("MemoryTransaction.end", self, ending)
    self._active = True


@instead_of(Reader, "holds")
def calls_everything_present(self: Any, made: object) -> bool:
    return True


@instead_of(Reader, "holds")
def calls_nothing_present(self: Any, made: object) -> bool:
    return False


@instead_of(Reader, "holds")
def calls_present_what_stands_still(self: Any, made: Any) -> bool:
    record = self._job(made.chain_id, made.position) if self._length(made.chain_id) > made.position else None
    return made.target is (record.status if record else None)


@instead_of(MemoryState, "join")
def joins_anything(self: Any, tx: Any) -> Joined:
    return Joined(tx)


@instead_of(MemoryState, "begin")
def begins_any_kind(self: Any, kind: object = None) -> Any:
    return self._begin()


@instead_of(MemoryState, "sibling")
def is_its_own_sibling(self: Any) -> Any:
    return self


@instead_of(MemoryState, "sibling")
def has_a_strange_sibling(self: Any) -> Any:
    return MemoryState()


@instead_of(MemoryState, "close")
async def closes_once(self: Any) -> None:
    if self._writer is None:
        raise RuntimeError("closed already")
    self._writer = None


@instead_of(MemoryState, "truncate_all")
async def truncates_nothing(self: Any) -> None:
    return None


@instead_of(MemoryState, "_statement")
def breaks_a_transaction_with_a_refusal(self: Any, tx: Any, now: datetime) -> Any:
    return _breaking(self, tx, now)


@asynccontextmanager
async def _breaking(adapter: Any, tx: Any, now: datetime) -> AsyncGenerator[Any]:
    try:
        async with real("MemoryState._statement", adapter, tx, now) as statement:
            yield statement
    except NotFound:
        if tx is not None:
            tx.handle._active = False
        raise
