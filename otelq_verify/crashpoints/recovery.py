"""The work after an interruption, and the results of the chains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from otelq.errors import Unavailable
from otelq.model import OPEN, ClaimRequest, Completes, JobQuery, JobRecord, ReapRule, Settlement

from ..conformance.kit import Broken
from ..drivers import execute, rows
from .scenario_kit import ScenarioKit

TYPES: Final = ("work", "next", "other")
"""The job types that there are."""
LONG: Final = 3600.0
"""Seconds after which every lease has run out, and every delay is over."""
ROUNDS: Final = 20


class ChainResult(Struct, frozen=True):
    """The result of a chain: its jobs, and how often a handler's writes are stored."""

    jobs: tuple[tuple[object, ...], ...]
    writes: int = 0


ChainResults = Mapping[str, ChainResult]


async def carry_on(scene: ScenarioKit) -> None:
    """
    Work as workers do until nothing is left to do.

    Raises:
        Broken: some chain does not come to an end.
    """
    left: list[JobRecord] = []
    for _ in range(ROUNDS):
        scene.wait(LONG)
        await _sweep_up(scene)
        await _work_off(scene)
        if not (left := await _open(scene)):
            return
    problem = ", ".join(f"{job.chain_id}.{job.position} is {job.status}" for job in left[:10])
    raise Broken(f"left open for ever: {problem}")


async def _sweep_up(scene: ScenarioKit) -> None:
    await scene.expire()
    rules = [ReapRule(type=type, max_attempts=10, max_crashes=5) for type in TYPES]
    await scene.adapter.reap(rules, now=scene.now)
    while await scene.unblock_pending():
        pass


async def _work_off(scene: ScenarioKit) -> None:
    """Run every job that is due."""
    arms = [ClaimRequest(type=type, limit=1000, lease=30) for type in TYPES]
    claimed, _ = await scene.claim_arms(*arms, worker="survivor")
    if claimed:
        await scene.settle_all(*[Settlement(job, Completes('"drained"'), "survivor") for job in claimed])


async def _open(scene: ScenarioKit) -> list[JobRecord]:
    return (await scene.adapter.jobs(JobQuery(statuses=OPEN, limit=1000))).items


async def chain_results(scene: ScenarioKit, *, of_ledger: bool) -> ChainResults:
    """Return the result of every chain, with its rows in the ledger if asked."""
    jobs: dict[str, list[JobRecord]] = {}
    after: str | None = None
    while True:
        page = await scene.adapter.jobs(JobQuery(limit=1000, after=after))
        for job in page.items:
            jobs.setdefault(job.chain_id, []).append(job)
        if (after := page.next) is None:
            break
    writes = await written(scene) if of_ledger else {}
    return {
        chain: ChainResult(tuple(map(_plain, jobs.get(chain, ()))), writes.get(chain, 0)) for chain in jobs | writes
    }


def _plain(job: JobRecord) -> tuple[object, ...]:
    failed_with = job.failure.type if job.failure else None
    return (
        *(job.position, job.type, job.status, job.priority, job.attempt, job.crashes),
        *(job.output, failed_with, job.amended_input),
    )


# The table of the application


async def make_ledger(scene: ScenarioKit) -> None:
    """Create the table, empty."""
    async with scene.adapter.begin() as tx:
        await execute(tx.handle, f"DROP TABLE IF EXISTS {scene.ledger}")
        await execute(tx.handle, f"CREATE TABLE {scene.ledger} (chain_id text, position integer, token bigint)")


async def empty_ledger(scene: ScenarioKit) -> None:
    async with scene.adapter.begin() as tx:
        await execute(tx.handle, f"DELETE FROM {scene.ledger}")


async def write_ledger(scene: ScenarioKit, handle: Any, *, chain_id: str, token: int = 0) -> None:
    """
    Write the row that a handler, or the caller of a start, writes in the same transaction.

    Raises:
        Unavailable: the driver raised something, as it does in the application's own statements.
    """
    try:
        await execute(handle, f"INSERT INTO {scene.ledger} VALUES ('{chain_id}', 0, {token})")
    except Exception as error:
        raise Unavailable(f"the application's own statement failed: {error!r}") from error


async def written(scene: ScenarioKit) -> dict[str, int]:
    """Return how many rows each chain has."""
    text = f"SELECT chain_id, count(*) FROM {scene.ledger} GROUP BY chain_id"
    async with scene.adapter.begin() as tx:
        return {str(chain_id): int(times) for chain_id, times in await rows(tx.handle, text)}
