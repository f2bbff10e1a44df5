"""Deletions beside transactions that hold what they are about."""

from __future__ import annotations

import asyncio

from otelq.postgres.state import PostgresState

from .conftest import Open, WaitForLock
from .shortcuts import start


async def test_a_deletion_that_cascades_holds_nothing_while_it_waits_for_the_oldest_of_its_chains(
    state: PostgresState, opened: Open, wait_for_lock: WaitForLock
) -> None:
    blocker = await start(state)
    chain = await start(state, blockers=(blocker,))
    theirs = await opened()
    lock = "SELECT FROM otelq.open_job WHERE chain_id = $1::uuid FOR UPDATE"
    await theirs.connection.execute(lock, blocker)

    deleting = asyncio.create_task(state.delete([chain], cascade=True))
    await wait_for_lock()
    await theirs.connection.execute(f"{lock} NOWAIT", chain)
    await theirs.end()

    assert {made.chain_id for made in await deleting} == {blocker, chain}
