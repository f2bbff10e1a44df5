"""A small run in this process whose history holds something of everything, and ways to falsify it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Literal

from msgspec.structs import replace

import otelq
from otelq.model import ClaimRequest
from otelq_verify.audit import Change, changes, install
from otelq_verify.torture import tables
from otelq_verify.torture.handlers import ChainWalk, Pace, Spawn, doomed, gather, jobs, keyed, later, leaf, waiter, walk
from otelq_verify.torture.history import Diary
from tests.behaviour.support import ended

QUICK = Pace(0.001)
UNDONE = "0198c0de-0000-7000-8000-000000000001"


async def history(url: str, *, of: Callable[[otelq.Client], Awaitable[None]] | None = None) -> list[Change]:
    """What the audit records of a small run that ends well."""
    async with otelq.connect(url) as client:
        await tables.create(client, "otelq")
        await install(client, also=[tables.HISTORY])
        await (of or something_of_everything)(client)
        return await changes(client)


async def cancelled_waits(client: otelq.Client) -> None:
    """Jobs that are cancelled while they wait, for all or any, and redriven when some of that has ended."""
    ended, open = await client.start(leaf, QUICK), await client.start(leaf, QUICK)
    waits = [await client.start(gather, QUICK, blockers=rule) for rule in ([ended, open], otelq.AnyOf(ended, open))]
    await client.cancel(*waits)
    await client.complete(ended, 1, step=leaf)
    await client.redrive(*waits)
    await client.complete(open, 1, step=leaf)


async def something_of_everything(client: otelq.Client) -> None:
    """Ends of every kind, and waits."""
    lost = await client.start(leaf, QUICK)
    await client.engine.state.claim([ClaimRequest(type="leaf", limit=1, lease=0.001)], worker="gone", token=7)
    planned = await client.start(later, QUICK, delay=3600)
    bad = await client.start(later, QUICK, expires=0.01)
    in_vain = await client.start(gather, QUICK, blockers=[bad, planned])
    chains: list[otelq.Chain[Any]] = [lost, planned, bad, in_vain]
    await asyncio.sleep(0.02)  # the time of `bad` is over before there is a worker that could start it
    async with otelq.Worker(client, jobs, reap_interval=0.1, poll_interval=0.1, middleware=[Diary("w")]):
        chains += [await client.start(walk, ChainWalk(2, QUICK)), await client.start(waiter, Spawn(2, QUICK))]
        dedup = otelq.Dedup("key")
        chains += [await client.start(keyed, QUICK, dedup=dedup), await client.start(keyed, QUICK, dedup=dedup)]
        leaves = await client.start_many(leaf, [QUICK, QUICK])
        chains += [await client.start(gather, QUICK, blockers=leaves)]
        chains += [await client.start(gather, QUICK, blockers=otelq.AnyOf(planned, leaves[0]))]
        fails = await client.start(doomed, QUICK)
        await ended(client, fails)
        await client.redrive(fails)
        await ended(client, in_vain)
        await client.trigger(planned)
        for chain in [*chains, *leaves, fails]:
            await asyncio.wait_for(ended(client, chain), 20)


# Ways to falsify a history

Which = Callable[[Change], bool]
Forge = Callable[[Sequence[Change]], list[Change]]


def where(table: str, op: str | None = None, **values: Any) -> Which:
    """Changes of this kind whose row has these values; ``old_...`` looks at the row as it was."""

    def fits(change: Change) -> bool:
        if change.table != table or op not in (None, change.op):
            return False
        return all(_value(change, name) == value for name, value in values.items())

    return fits


def _value(change: Change, name: str) -> Any:
    if name.startswith("old_"):
        return (change.old or {}).get(name.removeprefix("old_"))
    return change.row.get(name)


def edit(which: Which, *, nth: int = 0, at: float = 0, tx: int | None = None, **values: Any) -> Forge:
    """One of these changes with other values in its row, written later by so many seconds, or by another tx."""

    def edited(change: Change) -> Change:
        end = "old" if change.new is None else "new"
        row = {name: value(change.row) if callable(value) else value for name, value in values.items()}
        moved = replace(change, at=change.at + timedelta(seconds=at), tx=change.tx if tx is None else tx)
        return replace(moved, **{end: {**change.row, **row}}, chain_id=row.get("chain_id", change.chain_id))

    return lambda history: _with_one(history, which, lambda change: [edited(change)], nth)


def drop(which: Which) -> Forge:
    """Without the first of these changes."""
    return lambda history: _with_one(history, which, lambda change: [])


def double(which: Which, **values: Any) -> Forge:
    """The first of these changes twice; the second time with other values."""

    def twice(change: Change) -> list[Change]:
        return [change, replace(change, new={**change.row, **values})]

    return lambda history: _with_one(history, which, twice)


def follow(which: Which, **values: Any) -> Forge:
    """The first of these changes, and at once another that gives its row other values."""

    def followed(change: Change) -> list[Change]:
        row = {name: value(change.row) if callable(value) else value for name, value in values.items()}
        return [change, replace(change, op="UPDATE", old=change.row, new={**change.row, **row})]

    return lambda history: _with_one(history, which, followed)


def beside(which: Which, table: str, op: Literal["INSERT", "DELETE"], **values: Any) -> Forge:
    """The first of these changes, and a row like its own that comes or goes in another table."""

    def doubled(change: Change) -> list[Change]:
        row = {**change.row, **values}
        old, new = (row, None) if op == "DELETE" else (None, row)
        return [replace(change, table=table, op=op, old=old, new=new), change]

    return lambda history: _with_one(history, which, doubled)


def early(which: Which, nth: int = 0) -> Forge:
    """One of these changes before all others."""

    def forged(history: Sequence[Change]) -> list[Change]:
        first = [change for change in history if which(change)][nth]
        return [replace(first, seq=0), *(change for change in history if change is not first)]

    return forged


def erase(which: Which) -> Forge:
    """The row of the first of these changes deleted in the end."""

    def forged(history: Sequence[Change]) -> list[Change]:
        first = next(change for change in history if which(change))
        return [*history, replace(first, op="DELETE", old=first.new, new=None, seq=history[-1].seq + 1)]

    return forged


def both(*forges: Forge) -> Forge:
    """One after the other."""

    def forged(history: Sequence[Change]) -> list[Change]:
        for forge in forges:
            history = forge(history)
        return list(history)

    return forged


def _with_one(
    history: Sequence[Change], which: Which, made: Callable[[Change], list[Change]], nth: int = 0
) -> list[Change]:
    place = [number for number, change in enumerate(history) if which(change)][nth]
    return [*history[:place], *made(history[place]), *history[place + 1 :]]
