"""Pages that are read while what they show moves on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from otelq.model import Continues, JobQuery, Status, Successor
from otelq.postgres import adapter
from otelq.postgres.state import PostgresState

from .shortcuts import lease, settle, start

MEANWHILE: list[Callable[[], Awaitable[object]]] = []
"""What happens between the two statements of a page: jobs are found, and then read."""


class Interrupted(asyncpg.Connection):
    """A connection on which it happens."""

    async def fetch(self, query: str, *args: Any, **options: Any) -> Any:
        if "j.amended_input" in query and MEANWHILE:
            await MEANWHILE.pop()()
        return await super().fetch(query, *args, **options)


@pytest.fixture
async def reader(state: PostgresState, postgres_url: str) -> AsyncIterator[PostgresState]:
    """Another adapter, whose pages can be interrupted."""
    made = adapter(postgres_url, connection_class=Interrupted)
    assert isinstance(made, PostgresState)
    await made.open()
    yield made
    await made.close()
    assert not MEANWHILE, "it happened"


@pytest.mark.parametrize("statuses", [frozenset[Status](), frozenset({Status.RUNNING, Status.READY})])
async def test_a_chain_that_goes_on_while_it_is_looked_for_is_found(
    state: PostgresState, reader: PostgresState, statuses: frozenset[Status]
) -> None:
    chain_id = await start(state)
    MEANWHILE.append(lambda: _goes_on(state))

    page = await reader.chains(JobQuery(chain_ids=(chain_id,), statuses=statuses))

    assert [(chain.chain_id, chain.head.position, chain.tail.position) for chain in page.items] == [(chain_id, 0, 1)]


@pytest.mark.parametrize(
    "statuses, shown", [(frozenset[Status](), [Status.COMPLETED]), (frozenset({Status.READY}), [])]
)
async def test_a_chain_that_closes_while_a_page_is_read_is_shown_as_it_is_now(
    state: PostgresState, reader: PostgresState, statuses: frozenset[Status], shown: list[Status]
) -> None:
    await start(state)
    MEANWHILE.append(lambda: _ends(state))

    page = await reader.chains(JobQuery(statuses=statuses))

    assert [chain.tail.status for chain in page.items] == shown


async def _goes_on(state: PostgresState) -> None:
    await settle(state, await lease(state), Continues(Successor(type="a", input="2")))


async def _ends(state: PostgresState) -> None:
    await settle(state, await lease(state))
