"""The base of all machines: an adapter beside a model, a clock, and the comparison after each step."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, ClassVar, TypeVar, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from otelq.errors import (
    AlreadyExists,
    InvalidArgument,
    JobAlreadyClosed,
    JobTypeMismatch,
    NotFound,
    OtelqError,
    Refused,
    StillReferenced,
)
from otelq.model import (
    Claimed,
    ClaimRequest,
    Continues,
    Failure,
    JobKey,
    Outcome,
    Settled,
    Settlement,
    SettleResult,
    Transition,
    Verb,
)
from otelq.ports.state import StateAdapter

from ..conformance.kit import Kit
from ..keyboard import run_on
from ..model import Impossible, Job, Model, Move, leases
from ..model.blockers import follow
from .comparison import next_dues, same_claim, same_records
from .history import MoveLog

T = TypeVar("T")
Errors = Mapping[str, type[OtelqError]]
FAILURE = Failure("Error", "text")
TYPES = ("work", "other")
ERRORS: Errors = {
    "AlreadyExists": AlreadyExists,
    "InvalidArgument": InvalidArgument,
    "JobAlreadyClosed": JobAlreadyClosed,
    "JobTypeMismatch": JobTypeMismatch,
    "NotFound": NotFound,
    "StillReferenced": StillReferenced,
    "cycle": InvalidArgument,
}
"""The errors of the adapter, by the kind of the model's refusal."""
SETTLE_ERRORS: Errors = {"NotFound": Refused, "cycle": Refused}


class StoreMachine(RuleBasedStateMachine):
    """A machine with an adapter, on an event loop of its own."""

    seen: ClassVar[Counter[Verb]] = Counter()
    """The number of uses of each verb, in all runs of a bound machine."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.adapter: StateAdapter = self.make()

    @staticmethod
    def make() -> StateAdapter:
        """Return an unopened adapter; a subclass or ``on`` provides it."""
        raise NotImplementedError

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return run_on(self.runner, work)


class Machine(StoreMachine):
    """An adapter in lock-step with a model."""

    def __init__(self) -> None:
        super().__init__()
        self.history = MoveLog()
        self.claims: list[Claimed] = []
        self.touched: set[JobKey] = set()

    def open(self) -> None:
        self.run(self.adapter.open())
        self.run(self.adapter.truncate_all())
        self.kit = Kit(self.adapter)
        self.model = Model(self.kit.now)

    def teardown(self) -> None:
        self.seen.update(self.history.seen)
        self.run(self.adapter.close())
        self.runner.close()

    # A step on both sides

    def ask(
        self,
        work: Coroutine[Any, Any, Sequence[Transition]],
        change: Callable[[Model], object],
        *,
        errors: Errors = ERRORS,
    ) -> bool:
        """Check that the adapter makes the moves of the model, or refuses what the model refuses."""
        made = self.both(work, change, errors=errors)
        if made is None:
            return False
        self.expect(made)
        return True

    def both(
        self, work: Coroutine[Any, Any, T], change: Callable[[Model], object], *, errors: Errors = ERRORS
    ) -> T | None:
        """Make a step with the model and the adapter; return the adapter's answer, None if both refuse it."""
        tried = self.model.copy()
        try:
            change(tried)
            follow(tried)
        except Impossible as refusal:
            self.refuses(errors[refusal.kind], work)
            return None
        answer = self.run(work)
        self.model = tried
        return answer

    def refuses(self, error: type[OtelqError], work: Coroutine[Any, Any, object]) -> None:
        """Check that the adapter raises the error. The invariants show if it wrote anything."""
        try:
            self.run(work)
        except error:
            return
        raise AssertionError(f"expected {error.__name__}, and nothing was raised")

    def expect(self, made: Sequence[Transition]) -> None:
        """Check that the adapter reported the moves of the model: each once, those of one chain in order."""
        self.history.take(made)
        found = [_move(transition) for transition in made]
        assert _by_chain(found) == _by_chain(self.model.moves), f"made {found}, expected {self.model.moves}"
        self.touched |= {(move.chain, move.position) for move in found}
        self.model.moves.clear()

    # Work, which all machines do

    def claim_some(
        self, type: str, limit: int, *, lease: float = 20.0, timeout: float | None = 30.0, suspect: bool = True
    ) -> list[Claimed]:
        """Claim by adapter and model, and compare the chosen jobs."""
        token = self.kit.token()
        arm = ClaimRequest(type=type, limit=limit, lease=lease, timeout=timeout)
        claimed, made = self.run(self.kit.claim_arms(arm, token=token, suspect=suspect))
        chosen = [self.model.tail(job.lease.chain_id) for job in claimed]
        self._fair(type, chosen, limit, suspect=suspect)
        for job in chosen:
            leases.lease(self.model, job, token=token, worker="worker", seconds=lease, timeout=timeout)
        self.expect(made)
        self._remember(claimed)
        return list(claimed)

    def _remember(self, claimed: Sequence[Claimed]) -> None:
        for leased in claimed:
            self.history.lease(leased)
            same_claim(self.model, leased)
        self.claims += claimed

    def _fair(self, type: str, chosen: list[Job], limit: int, *, suspect: bool) -> None:
        """Check I6 and I12: only ready jobs are claimed, in turn, as many as possible, with one suspect at most."""
        ready = self.model.due(type)
        sound = [job for job in ready if not job.crashes]
        suspects = [job for job in chosen if job.crashes]
        assert all(job in ready for job in chosen), f"I6: claimed what is not ready: {chosen}"
        assert len(suspects) <= (1 if suspect else 0), f"claimed several suspects, or unasked: {suspects}"
        taken = [job for job in chosen if not job.crashes]
        assert taken == sound[: len(taken)], f"I12: out of turn: {taken}"
        possible = len(sound) + (suspect and len(ready) > len(sound))
        assert len(chosen) == min(limit, possible), f"claimed {len(chosen)} of {possible}, limit {limit}"

    def settle_some(self, *items: tuple[Claimed, Outcome], worker: str = "worker") -> Settled | None:
        """Settle held leases in one batch. Return None if adapter and model refuse it: then nothing is written."""

        def change(model: Model) -> None:
            for claim, outcome in items:
                leases.settle(model, model.tail(claim.lease.chain_id), outcome)

        batch = [Settlement(claim, outcome, worker) for claim, outcome in items]
        settled = self.both(self.kit.settle_all(*batch), change, errors=SETTLE_ERRORS)
        if settled is not None:
            assert settled.results == (SettleResult.DONE,) * len(items), settled.results
            self._keep(settled, [outcome for _, outcome in items])
            self.expect(settled.transitions)
            self._remember(list(settled.claimed_successors.values()))
        return settled

    def _keep(self, settled: Settled, outcomes: Sequence[Outcome]) -> None:
        """Check that a successor is claimed only if no job of its type was ready before it."""
        keeps = {
            one.claim_successor.token: one.claim_successor
            for one in outcomes
            if isinstance(one, Continues) and one.claim_successor
        }
        for kept in settled.claimed_successors.values():
            following = self.model.tail(kept.lease.chain_id)
            keep = keeps[kept.lease.token]
            assert self.model.due(kept.type)[0] is following, "kept a successor before others that were ready"
            leases.lease(
                self.model, following, token=keep.token, worker="worker", seconds=keep.lease, timeout=keep.timeout
            )

    def held(self, claim: Claimed) -> Job | None:
        """Return the job if the claim's lease is its current one."""
        jobs = self.model.chains.get(claim.lease.chain_id, [])
        at = claim.lease.position
        return jobs[at] if at < len(jobs) and jobs[at].token == claim.lease.token else None

    def live(self) -> list[Claimed]:
        """Return the claims that hold their job."""
        return [claim for claim in self.claims if self.held(claim)]

    def stale(self) -> list[Claimed]:
        """Return the claims whose job moved on without them."""
        return [claim for claim in self.claims if not self.held(claim)]

    def chain(self, data: st.DataObject, *statuses: str) -> str:
        """Return one of the chains, with one of these statuses if any are named."""
        return data.draw(st.sampled_from(self.chain_ids(*statuses)), label="chain")

    def chain_ids(self, *statuses: str) -> list[str]:
        jobs = self.model.with_status(*statuses) if statuses else self.model.tails()
        return sorted(job.chain for job in jobs)

    def open_chains(self) -> list[str]:
        return sorted(job.chain for job in self.model.open())

    # The clock

    @rule(seconds=st.sampled_from([0.5, 3.0, 10.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        self.kit.wait(seconds)
        self.model.now = self.kit.now

    # After each step

    @invariant()
    def the_store_is_as_the_model_has_it(self) -> None:
        """I3, I4, I5, I7, I8: every record is as the model has it, and there are no others."""
        touched = {key for key in self.touched if key[0] in self.model.chains}
        records = self.run(same_records(self.adapter, self.model, touched))
        self.touched.clear()
        self.history.counts(records)

    @invariant()
    def the_next_due_time_is_known(self) -> None:
        for type in TYPES:
            found = self.run(self.kit.next_due(type))
            assert found in next_dues(self.model, type), f"{type} is due in {found} seconds"


Bound = TypeVar("Bound", bound=StoreMachine)


def on(machine: type[Bound], factory: Callable[[], StateAdapter]) -> type[Bound]:
    """Return the machine, bound to the store of the adapters that ``factory`` makes; ``seen`` counts its verbs."""
    members = {"make": staticmethod(factory), "seen": Counter[Verb]()}
    return cast("type[Bound]", type(machine.__name__, (machine,), members))


def _move(made: Transition) -> Move:
    source = None if made.source is None else made.source.value
    target = None if made.target is None else made.target.value
    return Move(made.verb.value, made.chain_id, made.position, source, target, made.attempt)


def _by_chain(moves: Sequence[Move]) -> list[Move]:
    return sorted(moves, key=lambda move: move.chain)
