"""What is easily lost on the way through a driver: signs that are syntax to it, large tokens, and nothing at all."""

from __future__ import annotations

import pytest

from otelq.model import ClaimRequest, Completes, Settlement, SettleResult

from ..conformance.test_drivers import WAYS, way
from ..servers import PostgresServer
from .shortcuts import job

SIGNS = '"100% of %s, %(p1)s, $1, :name, ::int, ?, ?| and {0}; it\'s a \\\\ -- /* comment"'
LARGEST = 2**63 - 1


@pytest.mark.parametrize("name", WAYS, ids=[f"postgres18-{name}" for name in WAYS])
async def test_a_driver_brings_odd_values_there_and_back(name: str, postgres18: PostgresServer) -> None:
    url = postgres18.create_migrated_database()
    async with way(name, url) as factory:
        state = factory()
        await state.open()
        new = job("50%s:x$1?", input=SIGNS, queue="%(p1)s")
        async with state.begin() as tx:
            await state.create([new], tx=tx)
        claimed, _ = await state.claim([ClaimRequest(type=new.type, limit=1, lease=30)], worker="w%d", token=LARGEST)
        settled = await state.settle([Settlement(claimed[0], Completes(SIGNS), "w%d")])
        outcome = (await state.outcomes([new.chain_id]))[new.chain_id]
        await state.close()
    postgres18.drop_database(url)

    assert (claimed[0].input, claimed[0].lease.token) == (SIGNS, LARGEST)
    assert settled.results == (SettleResult.DONE,)
    assert outcome.output == SIGNS
