"""The calls that are cancelled: every verb, by itself and in transactions of the client and of the application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import Any

import otelq
from otelq_verify.drivers import Application, execute

from .books import Books, Call

ROWS = "cancels_row"
TABLES = (f"CREATE TABLE {ROWS} (number integer)", "CREATE TABLE cancels_beside (number integer)")

FAR = 3600.0
NAMES = (
    "start", "start writer", "start many", "start waiting", "start with key", "own transaction", "row only",
    "callers transaction", "cancel", "trigger", "complete", "delete", "amend", "redrive", "cancel in transaction",
    "result", "ask", "plain",
)  # fmt: skip

jobs = otelq.Jobs()


@jobs.job("quick")
async def quick(attempt: otelq.Attempt[int]) -> int:
    """Return the number of the call that started it."""
    return attempt.input


@jobs.job("kept")
async def kept(attempt: otelq.Attempt[int]) -> int:
    """Run when a call has changed it; it is due in an hour."""
    return attempt.input


@jobs.job("writes")
async def writes(attempt: otelq.Attempt[int]) -> int:
    """Write in the completion, so that the worker uses transactions too."""
    tx = await attempt.completion()
    await execute(tx, "INSERT INTO cancels_beside VALUES (?)", attempt.input)
    return attempt.input


class Calls:
    """The actions of one caller; each writes down what it intends before it does it."""

    def __init__(
        self, client: otelq.Client, application: Application, *, books: Books, chance: Random, has_ends: bool
    ) -> None:
        self._client = client
        self._application = application
        self._books = books
        self._chance = chance
        self._has_ends = has_ends
        """Whether the driver tells how callers' transactions end."""
        self._latest: list[otelq.Chain[int]] = []

    # Starts

    async def start(self, call: Call) -> None:
        call.chains = 1
        chain = await self._client.start(quick, call.number)
        self._latest = [*self._latest[-9:], chain]

    async def start_writer(self, call: Call) -> None:
        """Give the worker something to do."""
        await self._client.start(writes, call.number)

    async def start_many(self, call: Call) -> None:
        call.chains = 3
        await self._client.start_many(quick, [call.number] * 3)

    async def start_waiting(self, call: Call) -> None:
        call.chains = 1
        await self._client.start(quick, call.number, blockers=self._latest[-2:])

    async def start_with_key(self, call: Call) -> None:
        call.chains = 1
        await self._client.start(quick, call.number, dedup=otelq.Dedup(f"key {call.number}"))

    async def own_transaction(self, call: Call) -> None:
        call.chains, call.row = 1, True
        async with self._client.transaction(self._chance.choice(self._application.kinds)) as tx:
            otelq.after_commit(lambda: self._books.ran.update([call.number]))
            await execute(tx, f"INSERT INTO {ROWS} VALUES (?)", call.number)
            await self._client.start(quick, call.number, tx=tx)

    async def row_only(self, call: Call) -> None:
        """Use a transaction in which otelq writes nothing."""
        call.row = True
        async with self._client.transaction(self._chance.choice(self._application.kinds)) as tx:
            otelq.after_commit(lambda: self._books.ran.update([call.number]))
            await execute(tx, f"INSERT INTO {ROWS} VALUES (?)", call.number)

    async def callers_transaction(self, call: Call) -> None:
        call.chains, call.row, call.is_told = 1, True, self._has_ends
        async with otelq.after_commit(), self._application.transaction() as tx:
            await execute(tx, f"INSERT INTO {ROWS} VALUES (?)", call.number)
            await self._client.start(quick, call.number, tx=tx)
            self._client.after_commit(lambda: self._books.ran.update([call.number]), tx=tx)

    # Changes

    async def cancel(self, call: Call) -> None:
        await self._change(call, "cancelled", self._client.cancel)

    async def trigger(self, call: Call) -> None:
        await self._change(call, "completed", self._client.trigger)

    async def complete(self, call: Call) -> None:
        await self._change(call, "completed", lambda chain: self._client.complete(chain, 1, step=kept))

    async def delete(self, call: Call) -> None:
        await self._change(call, "deleted", self._client.delete)

    async def amend(self, call: Call) -> None:
        await self._change(call, "completed", lambda chain: self._client.amend(chain, delay=0.0))

    async def redrive(self, call: Call) -> None:
        chain = await self._client.start(kept, call.number, delay=FAR)
        await self._client.cancel(chain)
        call.changed = (chain.id, "completed")
        await self._client.redrive(chain)

    async def cancel_in_transaction(self, call: Call) -> None:
        chain = await self._client.start(kept, call.number, delay=FAR)
        call.changed, call.row = (chain.id, "cancelled"), True
        async with self._client.transaction() as tx:
            otelq.after_commit(lambda: self._books.ran.update([call.number]))
            await self._client.lock(chain, tx=tx)
            await execute(tx, f"INSERT INTO {ROWS} VALUES (?)", call.number)
            await self._client.cancel(chain, tx=tx)

    async def _change(self, call: Call, status: str, change: Callable[[Any], Awaitable[None]]) -> None:
        chain = await self._client.start(kept, call.number, delay=FAR)
        call.changed = (chain.id, status)
        await change(chain)

    # Questions

    async def result(self, call: Call) -> None:
        for chain in self._latest[-1:]:
            await self._client.result(chain, timeout=1)

    async def ask(self, call: Call) -> None:
        for chain in self._latest[-1:]:
            await self._client.chain(chain)
            await self._client.explain(chain)
        await self._client.chains(limit=5)
        await self._client.count(of="jobs", limit=10)

    # Without otelq

    async def plain(self, call: Call) -> None:
        """Use the driver without otelq, for comparison; only if it is asked for by name."""
        call.row, call.is_told = False, False
        async with self._application.transaction() as tx:
            await execute(tx, "INSERT INTO cancels_beside VALUES (?)", call.number)

    @property
    def by_name(self) -> Mapping[str, Callable[[Call], Awaitable[None]]]:
        """Return the actions by their names."""
        return {name: getattr(self, name.replace(" ", "_")) for name in NAMES}
