"""Open jobs by the ids of their chains, for verbs that change all of them or none."""

from __future__ import annotations

from collections.abc import Sequence

from ..transitions import refusals
from .rows import NUMBERS, OPEN_JOBS, OpenJob
from .session import SqliteSession, batch
from .waits import blocker_ends


async def open_jobs(db: SqliteSession, chain_ids: Sequence[str]) -> list[OpenJob]:
    """
    Return the open jobs of the chains, each once, in the order given.

    Raises:
        NotFound: a chain does not exist.
        JobAlreadyClosed: a chain is closed.
    """
    unique = list(dict.fromkeys(chain_ids))
    jobs = await db.read("read_open_jobs", OPEN_JOBS, chains=batch(unique))
    if len(jobs) < len(unique):
        await check_known(db, unique)
        is_open = {job.chain_id for job in jobs}
        closed = next(chain_id for chain_id in unique if chain_id not in is_open)
        raise refusals.chain_closed(closed, (await blocker_ends(db, [closed])).get(closed))
    return sorted(jobs, key=lambda job: job.index)


async def open_step(db: SqliteSession, chain_id: str, steps: Sequence[str]) -> OpenJob:
    """
    Return the open job of a chain, of the type with these names if there are some. Errors as of ``open_jobs``, and:

    Raises:
        JobAlreadyClosed: an earlier job of the chain is of that type.
        JobTypeMismatch: none is.
    """
    (job,) = await open_jobs(db, [chain_id])
    if not steps or job.type in steps:
        return job
    past = await db.read("find_step", NUMBERS, chain=chain_id, steps=batch(steps), position=job.position)
    raise refusals.wrong_step(chain_id, step=steps[0], open_step=job.type, is_past=bool(past))


async def check_known(db: SqliteSession, chain_ids: Sequence[str]) -> None:
    """
    Check that the chains exist.

    Raises:
        NotFound: one does not.
    """
    known = set(await db.read("find_chains", NUMBERS, chains=batch(chain_ids)))
    if len(known) < len(chain_ids):
        raise refusals.chain_not_found(next(chain_id for index, chain_id in enumerate(chain_ids) if index not in known))
