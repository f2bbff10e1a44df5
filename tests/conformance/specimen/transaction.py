"""Transactions in memory: one writer at a time, undone by a journal."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from otelq.ports.state import Ending, Transaction

from .store import Store


class MemoryTransaction:
    """An open transaction, as a caller holds it in their hands."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._active = True
        self._watchers: list[Callable[[Ending], None]] = []

    @property
    def active(self) -> bool:
        """Whether it is still open."""
        return self._active

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """Take back what is written inside, if the block raises; the transaction goes on."""
        mark, watched = self._store.journal.mark(), len(self._watchers)
        try:
            yield
        except BaseException:
            if self._active:
                self._store.journal.back_to(mark)
                self._tell(Ending.ROLLED_BACK, since=watched)
            raise

    def belongs_to(self, store: Store) -> bool:
        """Whether it writes to this store."""
        return self._store is store

    def watch(self, ended: Callable[[Ending], None]) -> None:
        """Call ``ended`` once, when the end of what was written so far is known."""
        self._watchers.append(ended)

    def end(self, ending: Ending) -> None:
        """Commit or roll back; for the adapter alone."""
        self._active = False
        if ending is Ending.COMMITTED:
            self._store.commit()
        else:
            self._store.rollback()
        self._tell(ending, since=0)

    def _tell(self, ending: Ending, *, since: int) -> None:
        watchers, self._watchers[since:] = self._watchers[since:], []
        for ended in watchers:
            ended(ending)


class Joined(Transaction):
    """The port's view of a ``MemoryTransaction``."""

    def __init__(self, handle: MemoryTransaction) -> None:
        self._handle = handle

    @property
    def handle(self) -> MemoryTransaction:
        return self._handle

    @property
    def active(self) -> bool:
        return self._handle.active

    def watch(self, ended: Callable[[Ending], None]) -> bool:
        self._handle.watch(ended)
        return True
