"""Pages that are read while what they show moves on, and JSON that is written in odd ways."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from otelq.model import Continues, JobQuery, Match, Status, Successor
from otelq.ports.state import Transaction
from otelq.sqlite.state import SqliteState

from .shortcuts import lease, settle, start

Hear = Callable[[str], None]


@pytest.fixture(params=["on its own", "in a session"])
def reading(request: pytest.FixtureRequest, state: SqliteState, sqlite_url: str) -> Callable[[Hear], Any]:
    """Lets each statement of a page be heard before it runs: of a page by itself, or in an application's connection."""

    @asynccontextmanager
    async def alone(hear: Hear) -> AsyncGenerator[None]:
        await state._database._read_thread.run(lambda connection: connection.set_trace_callback(hear))
        yield None

    @asynccontextmanager
    async def joined(hear: Hear) -> AsyncGenerator[Transaction]:
        engine = create_async_engine(sqlite_url.replace("sqlite:", "sqlite+aiosqlite:"))
        async with engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            await driver.set_trace_callback(hear)
            yield state.join(connection)
        await engine.dispose()

    return alone if request.param == "on its own" else joined


@pytest.mark.parametrize("statuses", [frozenset[Status](), frozenset({Status.RUNNING, Status.READY})])
async def test_a_chain_that_goes_on_while_it_is_looked_for_is_found(
    state: SqliteState, reading: Callable[[Hear], Any], statuses: frozenset[Status]
) -> None:
    chain_id = await start(state)
    [job] = await lease(state)
    loop, went_on = asyncio.get_running_loop(), asyncio.Event()

    async def go_on() -> None:
        await settle(state, job, outcome=Continues(Successor(type="a", input="2")))
        went_on.set()

    def hear(sql: str) -> None:
        """The keys are found by now, and the jobs are about to be read."""
        if "amended_input" in sql and not went_on.is_set():
            asyncio.run_coroutine_threadsafe(go_on(), loop).result(10)

    async with reading(hear) as tx:
        page = await state.chains(JobQuery(chain_ids=(chain_id,), statuses=statuses), tx=tx)

    assert went_on.is_set()
    assert [(chain.tail.position, chain.tail.status) for chain in page.items] == [(0, Status.RUNNING)]
    page = await state.chains(JobQuery(chain_ids=(chain_id,), statuses=statuses))
    assert [(chain.tail.position, chain.tail.status) for chain in page.items] == [(1, Status.READY)]


@pytest.mark.parametrize(
    "stored, path, value",
    [
        ('{"\\u0061": 1}', ("a",), "1"),
        ('{"a": "\\u00fc"}', ("a",), '"ü"'),
        ('{"a": "ü"}', ("a",), '"\\u00fc"'),
        ('{"a": 1e2}', ("a",), "100"),
        ("[0, 7.0]", (1,), "7"),
        ('{"a": {"b": [1.0, {"c": null}]}}', ("a",), '{"b":[1,{"c":null}]}'),
        ('{"a": null}', ("a",), "null"),
    ],
)
async def test_json_is_found_however_it_is_written(
    state: SqliteState, stored: str, path: tuple[str | int, ...], value: str
) -> None:
    chain_id = await start(state, input=stored)

    page = await state.jobs(JobQuery(matches=(Match(part="input", path=path, value=value),)))

    assert [job.chain_id for job in page.items] == [chain_id]


@pytest.mark.parametrize(
    "path, value",
    [(("a", "b"), "null"), (("a", -1), "2"), (("a", 2**32), "1"), (("a",), '"[1,2]"'), ((0,), "1"), (("yes",), "1")],
)
async def test_what_only_looks_alike_is_not_found(state: SqliteState, path: tuple[str | int, ...], value: str) -> None:
    await start(state, input='{"a": [1,2], "yes": true}')

    assert not (await state.jobs(JobQuery(matches=(Match(part="input", path=path, value=value),)))).items


async def test_a_long_chain_is_paged_through_by_position(state: SqliteState) -> None:
    chain_id = await start(state)
    for _ in range(6):
        await settle(state, *await lease(state), outcome=Continues(Successor(type="a", input="2")))
    query = JobQuery(statuses=frozenset({Status.CONTINUED}), after=f"{chain_id}.2", limit=2)

    page = await state.jobs(query)

    assert [job.position for job in page.items] == [3, 4]
    assert page.next == f"{chain_id}.4"
