"""The history of the handlers: every start, effect and end, in the order of the database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, cast

from otelq.definitions import Attempt, Handler, Middleware, is_continue

from ..audit import Change
from .tables import HISTORY, execute

Kind = Literal["start", "effect", "end"]

_INSERT: Final = f"INSERT INTO {HISTORY} VALUES (?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class DiaryEntry:
    """
    One line that a handler wrote.

    ``start`` and ``end`` were committed by themselves, before the handler's work and after it; ``effect`` was written
    in ``attempt.completion()``. ``detail`` of an end says what the handler came to.
    """

    seq: int
    at: datetime
    kind: Kind
    worker: str
    chain_id: str
    position: int
    token: int
    number: int
    detail: str


def entries(changes: Iterable[Change]) -> list[DiaryEntry]:
    """Return the handlers' lines among these changes, in their order."""
    return [_entry(change, change.new) for change in changes if change.table == HISTORY and change.new is not None]


def _entry(change: Change, row: Any) -> DiaryEntry:
    return DiaryEntry(
        seq=change.seq,
        at=change.at,
        kind=cast(Kind, row["kind"]),
        worker=row["worker"],
        chain_id=row["chain_id"],
        position=row["position"],
        token=row["token"],
        number=row["number"],
        detail=row["detail"],
    )


def _key(attempt: Attempt[Any]) -> tuple[str, int]:
    """Return the key of one attempt; jobs that are claimed together share a token."""
    return attempt.job_id, attempt.token


class Diary(Middleware):
    """Writes a worker's starts and ends; a handler that has effects writes its end itself, before them."""

    def __init__(self, worker: str) -> None:
        self.worker = worker
        self._ended: set[tuple[str, int]] = set()

    async def attempt(self, attempt: Attempt[Any], call: Handler) -> Any:
        """Run the handler between its start and its end."""
        attempt.provide(self)
        await self._write(attempt, "start")
        try:
            returned = await call(attempt)
        except asyncio.CancelledError:
            # A cancelled handler notes no end: its lease may be lost, and the note could come after the next start.
            self._ended.discard(_key(attempt))
            raise
        except Exception as error:
            await self._leave(attempt, type(error).__name__)
            raise
        await self._leave(attempt, "continue" if is_continue(returned) else "complete")
        return returned

    async def end(self, attempt: Attempt[Any], detail: str) -> None:
        """Write the end before the handler returns, so that nothing is between its return and its outcome."""
        await self._write(attempt, "end", detail)
        self._ended.add(_key(attempt))

    async def effect(self, attempt: Attempt[Any], detail: str) -> Any:
        """
        Write the end, then open the completion and write the one row that this attempt leaves if it closes its job.

        In this order, as on SQLite nothing else can be written while a completion is open. Returns the transaction.
        """
        await self.end(attempt, detail)
        tx = await attempt.completion()
        await execute(tx, _INSERT, *self._row(attempt, "effect", detail))
        return tx

    async def _leave(self, attempt: Attempt[Any], detail: str) -> None:
        if _key(attempt) in self._ended:
            self._ended.discard(_key(attempt))
        else:
            await self._write(attempt, "end", detail)

    async def _write(self, attempt: Attempt[Any], kind: Kind, detail: str = "") -> None:
        async with attempt.transaction() as tx:
            await execute(tx, _INSERT, *self._row(attempt, kind, detail))

    def _row(self, attempt: Attempt[Any], kind: Kind, detail: str) -> tuple[object, ...]:
        position = int(attempt.job_id.rpartition(".")[2])
        return (self.worker, kind, attempt.chain_id, position, attempt.token, attempt.number, detail)
