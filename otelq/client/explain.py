"""The explanation of a job: looks up the records that its reasons are found in."""

from __future__ import annotations

from collections import Counter

from ..errors import OtelqError
from ..model import ChainOutcome, JobRecord, Status, WorkerRecord
from .filters import AnyChain
from .lookups import Lookups
from .reasons import MOST_BLOCKERS, Explanation, ReasonContext, explanation


class Explainer:
    """Explains jobs from their stored records, the live workers, and the job types that workers here serve."""

    def __init__(self, lookups: Lookups, served: Counter[str]) -> None:
        self._lookups = lookups
        self._served = served

    async def explain(self, what: AnyChain) -> Explanation:
        """Return why a job, or the open or last job of a chain, does not run."""
        job = await self._job(what)
        blockers = await self._lookups.blockers(job.id) if job.status is Status.BLOCKED else []
        context = ReasonContext(
            attempts=await self._lookups.attempts(job.id) if job.status is Status.SCHEDULED else [],
            blockers=blockers,
            blocker_tails=await self._blocker_tails(blockers),
            workers=await self._workers() if job.status in (Status.SCHEDULED, Status.READY) else None,
            served=frozenset(+self._served),
        )
        return explanation(job, context)

    async def _workers(self) -> list[WorkerRecord] | None:
        """Return the live workers; None where they cannot be listed, as for a role without the right."""
        try:
            return await self._lookups.workers()
        except OtelqError:
            return None

    async def _job(self, what: AnyChain) -> JobRecord:
        if isinstance(what, str) and "." in what:
            return await self._lookups.job(what)
        return (await self._lookups.chain(what)).tail

    async def _blocker_tails(self, blockers: list[ChainOutcome]) -> dict[str, JobRecord]:
        """Return the open jobs of the first few open chains among these blockers."""
        # A job may have thousands of blockers; only these are named.
        ids = [one.chain_id for one in blockers if one.status.is_open][:MOST_BLOCKERS]
        if not ids:
            return {}
        page = await self._lookups.chains({"ids": ids}, limit=MOST_BLOCKERS)
        return {chain.chain_id: chain.tail for chain in page.items}
