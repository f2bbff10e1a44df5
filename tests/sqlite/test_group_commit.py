"""Verbs that wait for the writer share a commit; none pays for another's fault."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from otelq.errors import NotFound, OtelqError, Refused
from otelq.model import Closure, Completes, Status
from otelq.sqlite.state import SqliteState

from .shortcuts import count_jobs, elsewhere, job, start


@pytest.fixture
async def commits(state: SqliteState) -> list[str]:
    """The commits of the writer, as they are made."""
    seen: list[str] = []

    def listen(connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(lambda sql: seen.append(sql) if sql == "COMMIT" else None)

    await state._database._write_thread.run(listen)
    return seen


async def test_concurrent_starts_share_few_commits(state: SqliteState, commits: list[str]) -> None:
    chains = await asyncio.gather(*(start(state) for _ in range(100)))

    assert await count_jobs(state, *chains) == 100
    assert len(commits) <= 3


async def test_one_bad_start_harms_none_of_its_neighbours(state: SqliteState) -> None:
    good = [start(state) for _ in range(20)]
    bad = [start(state, input="{"), start(state, blockers=("nobody",)), start(state, input='"\ud800"')]

    *started, first, second, third = await asyncio.gather(*good, *bad, return_exceptions=True)

    assert await count_jobs(state, *(str(chain) for chain in started)) == 20
    assert isinstance(first, Refused)
    assert isinstance(second, NotFound)
    assert isinstance(third, Refused)


async def test_a_verb_that_fails_halfway_takes_back_its_own_writes_only(state: SqliteState) -> None:
    chain = await start(state)
    halfway = state.complete_externally(
        [Closure(chain_id=id, step="a", outcome=Completes("1")) for id in (chain, "nobody")]
    )

    missing, neighbour = await asyncio.gather(halfway, start(state), return_exceptions=True)

    assert isinstance(missing, NotFound)
    outcomes = await state.outcomes([chain, str(neighbour)])
    assert [outcome.status for outcome in outcomes.values()] == [Status.READY, Status.READY]


async def test_nobody_is_told_of_success_when_the_commit_fails(state: SqliteState) -> None:
    await state._database._write_thread.run(lambda connection: connection.set_authorizer(_refuse_commits))
    new = [job() for _ in range(5)]

    results = await asyncio.gather(*(state.create([one]) for one in new), return_exceptions=True)

    assert all(isinstance(result, OtelqError) for result in results)
    assert await count_jobs(state, *(one.chain_id for one in new)) == 0


async def test_a_bug_in_one_verb_is_raised_to_its_caller_alone(state: SqliteState) -> None:
    nonsense = job(delay="soon")

    bug, chain = await asyncio.gather(state.create([nonsense]), start(state), return_exceptions=True)

    assert isinstance(bug, TypeError)
    assert await count_jobs(state, str(chain)) == 1


async def test_a_caller_who_left_before_the_commit_starts_nothing(state: SqliteState) -> None:
    left = job()
    async with state.begin():
        leaving = elsewhere(state.create([left]))
        await asyncio.sleep(0)
        leaving.cancel()
    staying = await start(state)

    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert await count_jobs(state, staying, left.chain_id) == 1


def _refuse_commits(action: int, name: str | None, *_: str | None) -> int:
    is_commit = (action, name) == (sqlite3.SQLITE_TRANSACTION, "COMMIT")
    return sqlite3.SQLITE_DENY if is_commit else sqlite3.SQLITE_OK
