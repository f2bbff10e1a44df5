"""Operations on a small world of chains: each is a verb, aimed at a target that two numbers pick."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from otelq.model import (
    Amendment,
    Blocks,
    Claimed,
    ClaimRequest,
    Closure,
    Completes,
    Continues,
    Dedup,
    Fails,
    Failure,
    NewJob,
    OnFailure,
    Outcome,
    ReapRule,
    Releases,
    Renewal,
    Retries,
    Settlement,
    Snoozes,
    Successor,
    Transition,
    Until,
)
from otelq.ports.state import StateAdapter, Transaction

from ..conformance.kit import Kit
from .actors import ActorCall

FAILURE: Final = Failure("Error", "text")
FAR: Final = 3600.0
TYPES: Final = ("work", "next")


@dataclass
class Targets:
    """The chains and leases that operations are aimed at, by short names."""

    kit: Kit
    chains: list[str] = field(default_factory=list[str])
    focus: list[str] = field(default_factory=list[str])
    """The chains that operations are aimed at."""
    types: dict[str, str] = field(default_factory=dict[str, str])
    """The type of each chain's first job."""
    claims: list[Claimed] = field(default_factory=list[Claimed])
    made: list[Transition] = field(default_factory=list[Transition])
    """The transitions that were made before any actor started."""

    def new(self, **fields: Any) -> NewJob:
        """Return a chain to start; from now on it can be picked."""
        job = self.kit.job(**fields)
        self.chains.append(job.chain_id)
        self.focus.append(job.chain_id)
        self.types[job.chain_id] = job.type
        return job

    def aim_at(self, numbers: Sequence[int]) -> None:
        """Aim only at these chains and at those that are started later, so that operations meet."""
        self.focus = [self.chains[number % len(self.chains)] for number in numbers]

    def pick(self, number: int) -> str:
        """Return a chain."""
        return self.focus[number % len(self.focus)]

    def picks(self, *numbers: int) -> tuple[str, ...]:
        """Return chains, each once."""
        return tuple(dict.fromkeys(self.pick(number) for number in numbers))

    def claim(self, number: int) -> Claimed:
        """Return a lease, current or lost."""
        return self.claims[number % len(self.claims)]

    def name(self, *chains: str) -> str:
        """Return short names of chains."""
        return " ".join(f"c{self.chains.index(chain)}" for chain in chains)


async def settled_world(adapter: StateAdapter) -> Targets:
    """Return a world in which each operation has something to do."""
    world = Targets(Kit(adapter))
    plain = [world.new(), world.new()]
    free, lost = world.new(dedup=Dedup("k0")), world.new(dedup=Dedup("k1"))
    world.made += (await adapter.create([*plain, free, lost]))[1]
    world.made += await adapter.cancel([lost.chain_id])
    leased = [world.new(priority=-1, dedup=Dedup("k1")), world.new(priority=-1)]
    first, second, left, right = (job.chain_id for job in (*plain, *leased))
    waiting = [
        world.new(type="next", blockers=(first, second)),
        world.new(type="next", blockers=(free.chain_id, first), until=Until.ANY, dedup=Dedup("k0")),
        world.new(type="next", blockers=(left, right)),
        world.new(delay=FAR),
    ]
    last = world.new(type="next", blockers=(waiting[2].chain_id,), on_failure=OnFailure.IGNORE)
    world.made += (await adapter.create([*leased, *waiting, last]))[1]
    wanted = ClaimRequest(type="work", limit=2, lease=0.0)
    claimed, made = await adapter.claim([wanted], worker="worker", token=world.kit.token())
    world.claims += claimed
    world.made += made
    return world


# Verbs of clients, alone or in a transaction


def _create(world: Targets, job: NewJob, what: str) -> ActorCall:
    async def work(adapter: StateAdapter, tx: Transaction | None) -> Sequence[Transition]:
        return (await adapter.create([job], tx=tx))[1]

    return ActorCall(f"start {world.name(job.chain_id)}{what}", work)


def start(world: Targets, first: int, second: int) -> ActorCall:
    return _create(world, world.new(), "")


def start_waiting(world: Targets, first: int, second: int) -> ActorCall:
    blockers = world.picks(first, second)
    until = list(Until)[first % 2]
    job = world.new(
        type="next", blockers=blockers, until=until, on_failure=[OnFailure.FAIL, OnFailure.IGNORE][second % 2]
    )
    return _create(world, job, f", which waits for {until} of {world.name(*blockers)}")


def start_with_key(world: Targets, first: int, second: int) -> ActorCall:
    aliases = ("next",) if second % 2 else ()
    job = world.new(dedup=Dedup(f"k{first % 2}"), aliases=aliases)
    return _create(world, job, f" with the key k{first % 2} under {len(job.aliases) + 1} names")


def start_instead(world: Targets, first: int, second: int) -> ActorCall:
    """Take a key over from a chain that does not count."""
    excluded = tuple(world.chains) if second % 2 else world.picks(second)
    job = world.new(dedup=Dedup(f"k{first % 2}", exclude=excluded), aliases=("next",) if first % 3 else ())
    what = "any chain" if second % 2 else world.name(*excluded)
    return _create(world, job, f" with the key k{first % 2}, which it takes from {what}")


def complete_externally(world: Targets, first: int, second: int) -> ActorCall:
    return _finish(world, world.pick(first), Completes("1"), "complete")


def finish_and_continue(world: Targets, first: int, second: int) -> ActorCall:
    chain, blockers = world.pick(first), world.picks(second)
    successor = Successor(type="work", input="1", blockers=blockers if chain not in blockers else ())
    return _finish(world, chain, Continues(successor), f"continue after {world.name(*successor.blockers)}")


def _finish(world: Targets, chain: str, outcome: Completes | Continues, what: str) -> ActorCall:
    closure = Closure(chain_id=chain, step=world.types[chain], outcome=outcome)

    async def work(adapter: StateAdapter, tx: Transaction | None) -> Sequence[Transition]:
        return await adapter.complete_externally([closure], tx=tx)

    return ActorCall(f"{what} {world.name(chain)} from outside", work)


def cancel(world: Targets, first: int, second: int) -> ActorCall:
    return _move(world, "cancel", world.picks(first, second))


def trigger(world: Targets, first: int, second: int) -> ActorCall:
    return _move(world, "trigger", world.picks(first))


def take_over(world: Targets, first: int, second: int) -> ActorCall:
    return _move(world, "take_over", world.picks(first))


def redrive(world: Targets, first: int, second: int) -> ActorCall:
    return _move(world, "redrive", world.picks(first))


def delete(world: Targets, first: int, second: int) -> ActorCall:
    return _move(world, "delete", world.picks(first, second), cascade=bool(second % 2))


def _move(world: Targets, verb: str, chains: tuple[str, ...], **more: Any) -> ActorCall:
    async def work(adapter: StateAdapter, tx: Transaction | None) -> Sequence[Transition]:
        made: Sequence[Transition] = await getattr(adapter, verb)(chains, tx=tx, **more)
        return made

    return ActorCall(f"{verb} {world.name(*chains)}", work, learns_what_to_lock=bool(more.get("cascade")))


def amend(world: Targets, first: int, second: int) -> ActorCall:
    amendment = Amendment(chain_id=world.pick(first), priority=second % 3, delay=[0.0, FAR][second % 2])

    async def work(adapter: StateAdapter, tx: Transaction | None) -> Sequence[Transition]:
        return await adapter.amend([amendment], tx=tx)

    return ActorCall(f"amend {world.name(amendment.chain_id)}", work)


def settle(world: Targets, first: int, second: int) -> ActorCall:
    """Settle a lease, or two in one batch."""
    claims = [world.claim(first)] + ([world.claim(second)] if second % 3 == 0 else [])
    batch = {claim.lease: claim for claim in claims}
    by_chain = {claim.lease.chain_id: claim for claim in batch.values()}
    items = [Settlement(claim, _outcome(world, claim, second), "worker") for claim in by_chain.values()]

    async def work(adapter: StateAdapter, tx: Transaction | None) -> Sequence[Transition]:
        return (await adapter.settle(items, tx=tx)).transitions

    what = ", ".join(f"{type(item.outcome).__name__} {world.name(item.job.lease.chain_id)}" for item in items)
    return ActorCall(f"settle: {what}", work, never_waits=True)


def _outcome(world: Targets, claim: Claimed, number: int) -> Outcome:
    others = tuple(chain for chain in world.picks(number + 1) if chain != claim.lease.chain_id)
    outcomes: list[Outcome] = [
        Completes("1"),
        Completes("1"),
        Completes("1"),
        Fails(FAILURE),
        Fails(FAILURE),
        Continues(Successor(type="work", input="1")),
        Continues(Successor(type="work", input="1", blockers=others)),
        Retries(0.0, FAILURE),
        Snoozes(0.0),
        Releases(),
    ]
    return [*outcomes, *([Blocks(others)] if others else [])][number % (len(outcomes) + len(others))]


# Verbs of workers, which begin their own transactions


def claim(world: Targets, first: int, second: int) -> ActorCall:
    arm = ClaimRequest(type=TYPES[second % 2], limit=1 + first % 3, lease=[0.0, FAR][first % 2])
    token = world.kit.token()

    async def work(adapter: StateAdapter, tx: Transaction | None) -> Sequence[Transition]:
        claimed, made = await adapter.claim([arm], worker="worker", token=token)
        world.claims += claimed
        return made

    return ActorCall(f"claim up to {arm.limit} of {arm.type!r} as {token}", work, never_waits=True)


def renew(world: Targets, first: int, second: int) -> ActorCall:
    claims = {world.claim(number).lease.chain_id: world.claim(number) for number in (first, second)}
    renewals = [Renewal(claim.lease, FAR) for claim in claims.values()]

    async def work(adapter: StateAdapter, tx: Transaction | None) -> Sequence[Transition]:
        await adapter.renew(renewals)
        return ()

    return ActorCall(f"renew {world.name(*claims)}", work, never_waits=True)


def reap(world: Targets, first: int, second: int) -> ActorCall:
    rules = [ReapRule(type=type, max_attempts=1 + first % 3, max_crashes=5) for type in TYPES]

    async def work(adapter: StateAdapter, tx: Transaction | None) -> Sequence[Transition]:
        return await adapter.reap(rules)

    return ActorCall("reap", work, never_waits=True)


def unblock_pending(world: Targets, first: int, second: int) -> ActorCall:
    async def work(adapter: StateAdapter, tx: Transaction | None) -> Sequence[Transition]:
        return await adapter.unblock_pending()

    return ActorCall("unblock pending", work, never_waits=True)


Maker = Callable[[Targets, int, int], ActorCall]
ANYWHERE: Final[Mapping[str, Maker]] = {
    maker.__name__: maker
    for maker in (
        settle, start_waiting, complete_externally, cancel, start_with_key, start_instead, redrive, delete,
        finish_and_continue, amend, trigger, take_over, start,
    )
}  # fmt: skip
ALONE: Final[Sequence[Maker]] = (settle, settle, claim, settle, reap, renew, unblock_pending)
"""The verbs of workers; settling comes most often, as most can go wrong there."""
