"""The kit of a named case: chains to begin with, operations by their verbs, and their results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from otelq.errors import OtelqError
from otelq.model import (
    Claimed,
    ClaimRequest,
    Closure,
    Completes,
    Created,
    NewJob,
    Outcome,
    ReapRule,
    Renewal,
    Settlement,
    SettleResult,
    Status,
    Transition,
)
from otelq.ports.state import StateAdapter, Transaction
from otelq.postgres import claim
from otelq.postgres.drivers import ConnectedTransaction
from otelq.postgres.state import PostgresState

from ..conformance.kit import Kit
from .actors import Actor, ActorCall
from .stage import Stage

FAR = 3600.0


class ScheduleKit:
    """A stage with short forms; ``before`` has the transitions made without actors, for the checks at the end."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.before: list[Transition] = []
        self.created: list[Created] = []
        self.claimed: list[Claimed] = []
        self.results: list[SettleResult] = []
        self._kit = Kit(stage.observer)

    # Without an actor

    async def start(self, type: str = "work", **fields: Any) -> str:
        """Start a chain, and return its id."""
        job = self.job(type, **fields)
        self.before += (await self.stage.observer.create([job]))[1]
        return job.chain_id

    async def lease(self, number: int = 1, *, lease: float = FAR) -> list[Claimed]:
        """Claim so many jobs."""
        wanted = ClaimRequest(type="work", limit=number, lease=lease)
        claimed, made = await self.stage.observer.claim([wanted], worker="worker", token=self._kit.token())
        self.before += made
        return list(claimed)

    async def status(self, chain: str) -> Status:
        return (await self.stage.observer.outcomes([chain]))[chain].status

    async def is_status(self, chain: str, status: Status) -> None:
        """Demand the status of a chain."""
        found = await self.status(chain)
        self.stage.demand(found is status, f"the chain is {found}, not {status}")

    def same(self, found: object, expected: object, what: str) -> None:
        """Demand a value."""
        self.stage.demand(found == expected, f"{what}: expected {expected}, found {found}")

    def waits(self, actor: Actor) -> None:
        """Demand that an actor waits for a lock."""
        self.stage.demand(actor.is_running, f"{actor.name} does not wait for a lock")

    def fine(self, *actors: Actor) -> None:
        """Demand that actors ended without an error."""
        for actor in actors:
            self.stage.demand(actor.is_done and actor.error is None, f"{actor.name} came to {actor.error!r}")

    def refused(self, actor: Actor, error: type[OtelqError]) -> None:
        """Demand that an actor ended with an error."""
        self.stage.demand(isinstance(actor.error, error), f"{actor.name} came to {actor.error!r}")

    # Operations

    def job(self, type: str = "work", **fields: Any) -> NewJob:
        return self._kit.job(type, **fields)

    def creating(self, job: NewJob, *, again: bool = False) -> ActorCall:
        async def work(adapter: StateAdapter, tx: Transaction | None) -> Sequence[Transition]:
            created, made = await adapter.create([job], tx=tx, resent=again)
            self.created += created
            return made

        return ActorCall("start", work)

    def finishing(self, chain: str, *, step: str = "work") -> ActorCall:
        closure = Closure(chain_id=chain, step=step, outcome=Completes("1"))

        async def work(adapter: StateAdapter, tx: Transaction | None) -> Sequence[Transition]:
            return await adapter.complete_externally([closure], tx=tx)

        return ActorCall("complete from outside", work)

    def cancelling(self, *chains: str) -> ActorCall:
        async def work(adapter: StateAdapter, tx: Transaction | None) -> Sequence[Transition]:
            return await adapter.cancel(chains, tx=tx)

        return ActorCall("cancel", work)

    def locking(self, *chains: str) -> ActorCall:
        async def work(adapter: StateAdapter, tx: Transaction | None) -> Sequence[Transition]:
            assert tx is not None, "a lock needs a transaction"
            await adapter.lock(chains, tx=tx)
            return ()

        return ActorCall("lock", work)

    def settling(self, *claims: Claimed, outcome: Outcome | None = None) -> ActorCall:
        items = [Settlement(claim, outcome or Completes("1"), "worker") for claim in claims]

        async def work(adapter: StateAdapter, tx: Transaction | None) -> Sequence[Transition]:
            settled = await adapter.settle(items, tx=tx)
            self.results += settled.results
            return settled.transitions

        return ActorCall("settle", work, never_waits=True)

    def renewing(self, *claims: Claimed) -> ActorCall:
        async def work(adapter: StateAdapter, tx: Transaction | None) -> Sequence[Transition]:
            self.results += await adapter.renew([Renewal(claim.lease, FAR) for claim in claims])
            return ()

        return ActorCall("renew", work, never_waits=True)

    def reaping(self) -> ActorCall:
        async def work(adapter: StateAdapter, tx: Transaction | None) -> Sequence[Transition]:
            return await adapter.reap([ReapRule(type="work", max_attempts=None, max_crashes=5)])

        return ActorCall("reap", work, never_waits=True)

    def claiming(self, number: int) -> ActorCall:
        """Return a claim. Inside a transaction, which only PostgreSQL supports here, it commits with that."""
        wanted, token = ClaimRequest(type="work", limit=number, lease=FAR), self._kit.token()

        async def work(adapter: StateAdapter, tx: Transaction | None) -> Sequence[Transition]:
            if tx is None:
                claimed, made = await adapter.claim([wanted], worker="worker", token=token)
            else:
                claimed, made = await _claim_inside(adapter, tx, wanted, token)
            self.claimed += claimed
            return made

        return ActorCall("claim", work, never_waits=True)


async def _claim_inside(
    adapter: StateAdapter, tx: Transaction, wanted: ClaimRequest, token: int
) -> tuple[Sequence[Claimed], Sequence[Transition]]:
    assert isinstance(adapter, PostgresState)
    assert isinstance(tx, ConnectedTransaction)
    database = adapter._database  # pyright: ignore[reportPrivateUsage]  # a claim takes no transaction of a caller
    session = database.session(await tx.connection(), None)
    return await claim.claim(session, [wanted], worker="worker", token=token, include_suspect=True)
