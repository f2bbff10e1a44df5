"""No error of a driver or a database reaches a caller: what goes wrong has a name in ``otelq.errors``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

import otelq

from .support import ONCE, count, ended

jobs = otelq.Jobs()


@jobs.job("echo", retry=ONCE)
async def echo(attempt: otelq.Attempt[int]) -> int:
    return attempt.input


@jobs.job("follow", retry=ONCE)
async def follow(attempt: otelq.Attempt[str]) -> otelq.Continue[int]:
    return attempt.continue_with(echo, 1, blockers=[otelq.Chain(attempt.input, echo)])


@dataclass(frozen=True)
class There:
    """What is there before each misuse, and the transaction it happens in, if it does in one."""

    open: otelq.Chain[int]
    blocker: otelq.Chain[int]
    closed: otelq.Chain[int]
    tx: object | None

    @property
    def missing(self) -> otelq.Chain[int]:
        """A chain that does not exist."""
        return otelq.Chain(otelq.new_id(), echo)


Misuse = Callable[[otelq.Client, There], Awaitable[object]]

MISUSES: dict[str, tuple[type[otelq.OtelqError], Misuse]] = {
    "taken id": (otelq.AlreadyExists, lambda c, t: c.start(echo, 1, id=t.open.id, tx=t.tx)),
    "taken id of a closed chain": (otelq.AlreadyExists, lambda c, t: c.start(echo, 1, id=t.closed.id, tx=t.tx)),
    "taken id in a batch": (
        otelq.AlreadyExists,
        lambda c, t: c.start_many([otelq.Start(echo, 1), otelq.Start(echo, 1, id=t.open.id)], tx=t.tx),
    ),
    "taken id with a free key": (
        otelq.AlreadyExists,
        lambda c, t: c.start(echo, 1, id=t.open.id, dedup=otelq.Dedup("free"), tx=t.tx),
    ),
    "taken id with blockers": (
        otelq.AlreadyExists,
        lambda c, t: c.start(echo, 1, id=t.open.id, blockers=[t.blocker], tx=t.tx),
    ),
    "taken id of a copy": (otelq.AlreadyExists, lambda c, t: c.copy(t.closed, id=t.open.id, tx=t.tx)),
    "blocker named twice": (
        otelq.InvalidArgument,
        lambda c, t: c.start(echo, 1, blockers=[t.open, t.open], tx=t.tx),
    ),
    "unknown blocker": (otelq.NotFound, lambda c, t: c.start(echo, 1, blockers=[t.missing], tx=t.tx)),
    "unknown blocker of any": (
        otelq.NotFound,
        lambda c, t: c.start(echo, 1, blockers=otelq.AnyOf(t.open, t.missing, on_failure="wait"), tx=t.tx),
    ),
    "unknown blocker in a batch": (
        otelq.NotFound,
        lambda c, t: c.start_many([otelq.Start(echo, 1), otelq.Start(echo, 1, blockers=[t.missing])], tx=t.tx),
    ),
    "unknown blocker of a continuation": (
        otelq.NotFound,
        lambda c, t: c.complete(t.open, otelq.Continue(echo, 1, blockers=[t.missing]), step=echo, tx=t.tx),
    ),
    "a continuation that waits for itself": (
        otelq.InvalidArgument,
        lambda c, t: c.complete(t.open, otelq.Continue(echo, 1, blockers=[t.open]), step=echo, tx=t.tx),
    ),
    "completed twice": (otelq.JobAlreadyClosed, lambda c, t: c.complete(t.closed, 1, step=echo, tx=t.tx)),
    "a blocker deleted": (otelq.StillReferenced, lambda c, t: c.delete(t.blocker, tx=t.tx)),
    "cancelled twice": (otelq.JobAlreadyClosed, lambda c, t: c.cancel(t.closed, tx=t.tx)),
    "redriven though open": (otelq.InvalidArgument, lambda c, t: c.redrive(t.open, tx=t.tx)),
    "taken over though waiting": (otelq.InvalidArgument, lambda c, t: c.take_over(t.open, tx=t.tx)),
    "amended though closed": (otelq.JobAlreadyClosed, lambda c, t: c.amend(t.closed, priority=1, tx=t.tx)),
    "nothing there": (otelq.NotFound, lambda c, t: c.delete(t.missing, cascade=True, tx=t.tx)),
}
ROWS = pytest.mark.parametrize("error, misuse", MISUSES.values(), ids=MISUSES)


async def there(client: otelq.Client, *, tx: object | None = None) -> There:
    """An open chain that waits for a time, another that waits for it, a closed one."""
    blocker, closed = await client.start(echo, 1, delay=3600), await client.start(echo, 1)
    await client.complete(closed, 1, step=echo)
    await client.start(echo, 1, blockers=[blocker])
    return There(await client.start(echo, 1, delay=3600), blocker, closed, tx)


@ROWS
async def test_a_misuse_has_a_name_and_writes_nothing(
    client: otelq.Client, error: type[otelq.OtelqError], misuse: Misuse
) -> None:
    given = await there(client)
    before = await count(client)
    with pytest.raises(error) as raised:
        await misuse(client, given)
    assert type(raised.value) is error
    assert await count(client) == before


@ROWS
async def test_a_misuse_in_a_transaction_has_a_name_and_the_transaction_goes_on(
    client: otelq.Client, error: type[otelq.OtelqError], misuse: Misuse
) -> None:
    outside = await there(client)
    before = await count(client)
    async with client.transaction() as tx:
        given = There(outside.open, outside.blocker, outside.closed, tx)
        with pytest.raises(error) as raised:
            await misuse(client, given)
        await client.start(echo, 2, tx=tx)
    assert type(raised.value) is error
    assert await count(client) == before + 1


@pytest.mark.parametrize("wrong", ["missing", "itself"])
async def test_a_continuation_with_a_blocker_that_cannot_be_fails_its_attempt_and_no_other(
    client: otelq.Client, wrong: str
) -> None:
    id = otelq.new_id()
    blocker = id if wrong == "itself" else otelq.new_id()
    async with otelq.Worker(client, jobs):
        chain = await client.start(follow, blocker, id=id)
        beside: list[otelq.Chain[Any]] = await client.start_many(echo, range(20))
        tail = await ended(client, chain)
        assert [await client.result(one, timeout=10) for one in beside] == list(range(20))
    assert (tail.status, tail.position) == ("failed", 0)
    assert tail.failure is not None
    assert tail.failure.type == "otelq.errors.Refused"
    assert blocker in tail.failure.text
