"""
State machines for Hypothesis: an adapter in lock-step with a small model of what it should do.

``LifeMachine`` leads a few jobs through every verb of the worker's and the client's life, with the clock moving and
with tokens that are stale. ``ChainMachine`` starts chains that wait for each other and share dedup keys. The model is
written from the description of the statuses and knows nothing of the adapters' code; where adapter and model differ,
or an invariant does not hold, Hypothesis shows the shortest way there.

``on`` binds a machine to a store, by a factory that takes no arguments::

    TestLife = on(LifeMachine, lambda: otelq.sqlite.adapter("sqlite:////tmp/machine.db")).TestCase

Hypothesis sorts rules by name and prefers the first: those that end everything have names late in the alphabet.
The store is emptied at the start of every run. Machines are synchronous: each has one ``asyncio.Runner``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ..errors import InvalidArgument, JobAlreadyClosed, OtelqError, StillReferenced
from ..model import (
    Claimed,
    Completes,
    Continues,
    Dedup,
    Fails,
    Failure,
    JobQuery,
    Keep,
    Lease,
    Outcome,
    Releases,
    Retries,
    Settled,
    Settlement,
    Snoozes,
    Successor,
    Transition,
    Verdict,
)
from ..ports.state import StateAdapter
from .kit import Kit
from .model import Job, Model, Move

T = TypeVar("T")
FAILURE = Failure("Error", "text")
MAX_ATTEMPTS = 3
MAX_CRASHES = 2


def _continues(delay: float) -> Continues:
    return Continues(Successor(type="work", input="1", delay=delay))


OUTCOMES: st.SearchStrategy[Outcome] = st.one_of(
    st.builds(Completes, st.sampled_from(["1", "null"])),
    st.builds(Retries, st.sampled_from([0.0, 5.0]), st.just(FAILURE)),
    st.builds(Snoozes, st.sampled_from([0.0, 5.0])),
    st.builds(Fails, st.just(FAILURE)),
    st.builds(Releases),
    st.builds(_continues, st.sampled_from([0.0, 5.0])),
)


class _Machine(RuleBasedStateMachine):
    """What both machines share: the adapter, the model, the clock and the invariants."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.adapter: StateAdapter = self.make()
        self.model = Model()
        self.tokens: set[tuple[str, int, int]] = set()

    @staticmethod
    def make() -> StateAdapter:
        """An unopened adapter; a subclass, or ``on``, says which."""
        raise NotImplementedError

    def open(self) -> None:
        self.run(self.adapter.open())
        self.run(self.adapter.truncate_all())
        self.kit = Kit(self.adapter)

    def teardown(self) -> None:
        self.run(self.adapter.close())
        self.runner.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def expect(self, made: Sequence[Transition]) -> None:
        """The adapter reported what the model did: each move once, those of one chain in order."""
        found = [(move.verb.value, move.chain_id, _word(move.source), _word(move.target)) for move in made]
        assert _by_chain(found) == _by_chain(self.model.moves), (found, self.model.moves)
        self.model.moves.clear()

    def refuses(self, error: type[OtelqError], work: Coroutine[Any, Any, object]) -> None:
        """The adapter raises the error; that nothing was written is for the invariants to see."""
        try:
            self.run(work)
        except error:
            return
        raise AssertionError(f"expected {error.__name__}")

    def claim_some(self, limit: int, *, lease: float, timeout: float, suspect: bool) -> Sequence[Claimed]:
        """Claim by adapter and model, and compare who was chosen."""
        token = self.kit.token()
        claimed = self.run(self.kit.claim("work", limit, lease=lease, timeout=timeout, token=token, suspect=suspect))
        chosen = [self.model.tail(job.lease.chain_id) for job in claimed]
        self._fair(chosen, limit, suspect=suspect)
        for job, leased in zip(chosen, claimed, strict=True):
            self._never_before(leased)
            self.model.lease(job, token, seconds=lease, timeout=timeout)
            assert (leased.attempt, leased.crashes) == (job.attempt, job.crashes), "I8: attempts or crashes differ"
        self.model.moves.clear()
        return claimed

    def _fair(self, chosen: list[Job], limit: int, *, suspect: bool) -> None:
        """I6 and I12: only what is ready, in turn, as many as there are, and one suspect at most."""
        ready = self.model.due()
        sound = [job for job in ready if not job.crashes]
        suspects = [job for job in chosen if job.crashes]
        assert all(job in ready for job in chosen), f"I6: claimed what is not ready: {chosen}"
        assert len(suspects) <= (1 if suspect else 0), f"claimed several suspects, or unasked: {suspects}"
        taken = [job for job in chosen if not job.crashes]
        assert taken == sound[: len(taken)], f"I12: out of turn: {taken}"
        possible = len(sound) + (suspect and len(ready) > len(sound))
        assert len(chosen) == min(limit, possible), f"claimed {len(chosen)} of {possible}, limit {limit}"

    def open_chains(self) -> list[str]:
        return sorted(job.chain for job in self.model.tails() if not job.closed)

    def _never_before(self, leased: Claimed) -> None:
        """I1: no pair of job and token is used twice."""
        pair = leased.lease.chain_id, leased.lease.position, leased.lease.token
        assert pair not in self.tokens, f"I1: a token was used twice: {pair}"
        self.tokens.add(pair)

    @rule(seconds=st.sampled_from([0.5, 3.0, 10.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        self.kit.wait(seconds)
        self.model.now += seconds

    @invariant()
    def the_store_is_as_the_model_has_it(self) -> None:
        """I3, I4, I5, I7: every job, closed or open, stands where the model has it, and there are no others."""
        stored = self.run(self.adapter.jobs(JobQuery(limit=1000))).items
        found = {(job.chain_id, job.position): _stored(job.status.value) for job in stored}
        expected = {
            (job.chain, job.position): _stored(job.status(self.model.now))
            for jobs in self.model.chains.values()
            for job in jobs
        }
        assert found == expected, f"store {found}, model {expected}"
        counted = {(job.chain_id, job.position): (job.attempt, job.crashes) for job in stored if job.status.is_open}
        for job in self.model.tails():
            if not job.closed:
                assert counted[job.chain, job.position] == (job.attempt, job.crashes), f"I8: {job}"

    @invariant()
    def the_next_due_time_is_known(self) -> None:
        waiting = [job.run_at for job in self.model.tails() if job.status(self.model.now) in ("ready", "scheduled")]
        expected = max(0.0, min(waiting) - self.model.now) if waiting else None
        assert self.run(self.kit.next_due("work")) == expected


class LifeMachine(_Machine):
    """One job's life: every verb, the clock moving, tokens current and stale."""

    def __init__(self) -> None:
        super().__init__()
        self.claims: list[Claimed] = []
        self.settled: set[Lease] = set()

    @initialize(priorities=st.lists(st.integers(-1, 1), min_size=1, max_size=3))
    def begin(self, priorities: list[int]) -> None:
        self.open()
        for priority in priorities:
            self.create(0.0, priority)

    def create(self, delay: float, priority: int) -> None:
        chain = self.kit.id()
        _, made = self.run(self.kit.create(self.kit.job(chain_id=chain, delay=delay, priority=priority)))
        self.model.start(chain, run_at=self.model.now + delay, priority=priority)
        self.expect(made)

    @rule(delay=st.sampled_from([0.0, 0.0, 5.0]), priority=st.integers(-1, 1))
    @precondition(lambda self: len(self.open_chains()) < 4)
    def create_another(self, delay: float, priority: int) -> None:
        self.create(delay, priority)

    @rule(limit=st.integers(1, 3), lease=st.sampled_from([5.0, 20.0]), suspect=st.booleans())
    def claim(self, limit: int, lease: float, suspect: bool) -> None:
        self.claims += self.claim_some(limit, lease=lease, timeout=30.0, suspect=suspect)

    @rule(data=st.data())
    @precondition(lambda self: self.live())
    def disown(self, data: st.DataObject) -> None:
        token = data.draw(st.sampled_from(self.live())).lease.token
        made = self.run(self.kit.disown(token))
        for job in self.model.tails():
            if job.token == token:
                self.model.give_back(job, "release", 0, attempt=-1)
        self.expect(made)

    @rule(data=st.data(), seconds=st.sampled_from([60.0, 5.0]))
    @precondition(lambda self: self.live())
    def renew(self, data: st.DataObject, seconds: float) -> None:
        self.renew_held(data.draw(st.sampled_from(self.live())), seconds)

    def renew_held(self, claim: Claimed, seconds: float) -> None:
        (verdict,) = self.run(self.kit.renew(claim.lease, seconds=seconds))
        job = self.model.tail(claim.lease.chain_id)
        if job.deadline <= self.model.now:
            assert verdict is Verdict.LOST, f"renewed past the deadline: {verdict}"
            return
        assert verdict is Verdict.DONE, verdict
        job.leased_until = min(self.model.now + seconds, job.deadline)

    @rule(times=st.integers(1, 3))
    @precondition(lambda self: self.model.due())
    def claim_in_vain(self, times: int) -> None:
        """Spend attempts on one job after the other."""
        for _ in range(times):
            for claim in self.claim_some(1, lease=20.0, timeout=30.0, suspect=True):
                self.claims.append(claim)
                self.settle_held(claim, Retries(0.0, FAILURE), twice=False)

    @rule(data=st.data())
    @precondition(lambda self: self.live())
    def hold_too_long(self, data: st.DataObject) -> None:
        """Renew a lease up to its deadline, and then once more."""
        claim = data.draw(st.sampled_from(self.live()))
        job = self.model.tail(claim.lease.chain_id)
        self.renew_held(claim, 60.0)
        self.pass_time(max(0.0, job.deadline - self.model.now))
        self.renew_held(claim, 60.0)

    @rule(data=st.data(), outcome=OUTCOMES, twice=st.booleans())
    @precondition(lambda self: self.live())
    def settle(self, data: st.DataObject, outcome: Outcome, twice: bool) -> None:
        self.settle_held(data.draw(st.sampled_from(self.live())), outcome, twice=twice)

    @rule(data=st.data(), outcome=OUTCOMES)
    @precondition(lambda self: self.stale())
    def settle_too_late(self, data: st.DataObject, outcome: Outcome) -> None:
        claim = data.draw(st.sampled_from(self.stale()))
        self.was_lost(claim, self.run(self.kit.settle(claim, outcome)))
        (verdict,) = self.run(self.kit.renew(claim.lease))
        assert verdict in (Verdict.LOST, Verdict.CANCELLED), f"I2: renewed a lease that is lost: {verdict}"

    @rule(outcomes=st.lists(OUTCOMES, min_size=1, max_size=3), twice=st.booleans())
    @precondition(lambda self: self.model.due())
    def work(self, outcomes: list[Outcome], twice: bool) -> None:
        """Claim and settle at once, a few times over."""
        for outcome in outcomes:
            for claim in self.claim_some(1, lease=20.0, timeout=30.0, suspect=True):
                self.claims.append(claim)
                self.settle_held(claim, outcome, twice=twice)

    def settle_held(self, claim: Claimed, outcome: Outcome, *, twice: bool) -> None:
        settled = self.run(self.kit.settle(claim, outcome))
        assert settled.verdicts == (Verdict.DONE,), settled.verdicts
        self.apply(self.model.tail(claim.lease.chain_id), outcome)
        self.settled.add(claim.lease)
        self.expect(settled.transitions)
        if twice:
            again = self.run(self.kit.settle(claim, outcome))
            assert (again.verdicts, again.transitions) == (settled.verdicts, settled.transitions), "a repeat differs"

    def live(self) -> list[Claimed]:
        """The claims that hold their job."""
        return [claim for claim in self.claims if self.held(claim)]

    def stale(self) -> list[Claimed]:
        """The claims whose job moved on without them."""
        return [claim for claim in self.claims if not self.held(claim)]

    def was_lost(self, claim: Claimed, settled: Settled) -> None:
        """A lease that is not held settles nothing; one settled before may be told so."""
        if settled.verdicts == (Verdict.DONE,):
            assert claim.lease in self.settled, "I2: settled under a lost lease"
        else:
            assert not settled.transitions, "a lost settlement made transitions"

    @rule(data=st.data())
    @precondition(lambda self: self.live())
    def settle_and_keep(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.live()))
        keep = Keep(token=self.kit.token(), lease=5.0, timeout=30.0)
        settled = self.run(self.kit.settle(claim, Continues(Successor(type="work", input="1"), keep)))
        following = self.model.go_on(self.model.tail(claim.lease.chain_id), "continue", 0)
        self.settled.add(claim.lease)
        first = self.model.due()[0] is following
        assert not settled.kept or first, "kept a successor before others that were ready"
        for kept in settled.kept.values():
            self._never_before(kept)
            self.model.lease(following, keep.token, seconds=5.0, timeout=30.0)
            self.claims.append(kept)
        self.expect(settled.transitions)

    @rule(delay=st.sampled_from([0.0, 5.0]), spare=st.booleans())
    @precondition(lambda self: self.live())
    def crash(self, delay: float, spare: bool) -> None:
        """Let the last lease run out, then reap."""
        self.pass_time(max(0.0, *(job.leased_until - self.model.now for job in self._running())) + 1)
        self.reap(delay, spare)

    def _running(self) -> list[Job]:
        return [job for job in self.model.tails() if job.token is not None]

    @rule(delay=st.sampled_from([0.0, 5.0]), spare=st.booleans())
    def reap(self, delay: float, spare: bool) -> None:
        tokens = [job.token for job in self._running() if job.token is not None]
        spared = tokens[:1] if spare else []
        made = self.run(self.kit.reap(max_attempts=MAX_ATTEMPTS, max_crashes=MAX_CRASHES, delay=delay, spare=spared))
        for job in self._running():
            if job.token not in spared and job.leased_until <= self.model.now:
                self.lose(job, delay)
        self.expect(made)

    def lose(self, job: Job, delay: float) -> None:
        """What the reaper makes of a job whose lease ran out."""
        if job.attempt >= MAX_ATTEMPTS or job.crashes + 1 >= MAX_CRASHES:
            self.model.close(job, "reap", "failed")
        else:
            self.model.give_back(job, "reap", delay, attempt=0, crash=1)

    @rule(data=st.data(), further=st.booleans())
    @precondition(lambda self: self.model.chains)
    def request_finish(self, data: st.DataObject, further: bool) -> None:
        chain = data.draw(st.sampled_from(sorted(self.model.chains)))
        job = self.model.tail(chain)
        outcome = Continues(Successor(type="work", input="1")) if further else Completes("1")
        if job.closed:
            self.refuses(JobAlreadyClosed, self.kit.finish(chain, outcome))
            return
        made = self.run(self.kit.finish(chain, outcome))
        if further:
            self.model.go_on(job, "complete_externally", 0)
        else:
            self.model.close(job, "complete_externally", "completed")
        self.expect(made)

    @rule(data=st.data())
    @precondition(lambda self: self.model.chains)
    def request_cancel(self, data: st.DataObject) -> None:
        chain = data.draw(st.sampled_from(sorted(self.model.chains)))
        job = self.model.tail(chain)
        if job.closed:
            self.refuses(JobAlreadyClosed, self.kit.cancel(chain))
            return
        made = self.run(self.kit.cancel(chain))
        self.model.close(job, "cancel", "cancelled")
        self.expect(made)

    @rule(data=st.data())
    @precondition(lambda self: self.model.chains)
    def request_trigger(self, data: st.DataObject) -> None:
        chain = data.draw(st.sampled_from(sorted(self.model.chains)))
        job = self.model.tail(chain)
        match job.status(self.model.now):
            case "scheduled":
                self.model.moves.append(("trigger", chain, "scheduled", "ready"))
                job.run_at = self.model.now
            case "ready":
                pass
            case "running" | "blocked":
                return self.refuses(InvalidArgument, self.kit.trigger(chain))
            case _:
                return self.refuses(JobAlreadyClosed, self.kit.trigger(chain))
        return self.expect(self.run(self.kit.trigger(chain)))

    def held(self, claim: Claimed) -> Job | None:
        """The job if the claim's lease is its current one."""
        job = self.model.chains[claim.lease.chain_id][claim.lease.position]
        return job if job.token == claim.lease.token else None

    def apply(self, job: Job, outcome: Outcome) -> None:
        """What an outcome does to a held job."""
        match outcome:
            case Completes():
                self.model.close(job, "complete", "completed")
            case Fails():
                self.model.close(job, "fail", "failed")
            case Continues(successor):
                self.model.go_on(job, "continue", successor.delay or 0)
            case Retries(delay):
                self.model.give_back(job, "retry", delay, attempt=0)
            case Snoozes(delay):
                self.model.give_back(job, "snooze", delay, attempt=-1)
            case Releases():
                self.model.give_back(job, "release", 0, attempt=-1)

    @invariant()
    def one_job_is_open_in_an_open_chain(self) -> None:
        """I4, on the model's side: so that the comparison means what it should."""
        for jobs in self.model.chains.values():
            assert all(job.closed == "continued" for job in jobs[:-1])


class ChainMachine(_Machine):
    """Chains that wait for each other and share dedup keys, closed one by one and in batches."""

    @initialize(number=st.integers(1, 4))
    def begin(self, number: int) -> None:
        self.open()
        for _ in range(number):
            self.create()

    @rule(data=st.data(), key=st.sampled_from([None, "a", "a", "b"]), delay=st.sampled_from([0.0, 0.0, 8.0]))
    @precondition(lambda self: len(self.model.chains) < 25)
    def create_any(self, data: st.DataObject, key: str | None, delay: float) -> None:
        """Start a chain that may wait for others, open or closed."""
        others = st.sampled_from(sorted(self.model.chains)) if self.model.chains else st.nothing()
        self.create(tuple(data.draw(st.lists(others, unique=True, max_size=3))), key, delay)

    @rule(data=st.data())
    @precondition(lambda self: 2 <= len(self.open_chains()) < 12)
    def create_dependent(self, data: st.DataObject) -> None:
        """Start a chain that waits for several open ones."""
        others = st.sampled_from(self.open_chains())
        self.create(tuple(data.draw(st.lists(others, unique=True, min_size=2, max_size=4))))

    def create(self, blockers: tuple[str, ...] = (), key: str | None = None, delay: float = 0.0) -> None:
        job = self.kit.job(blockers=blockers, dedup=Dedup(key) if key else None, delay=delay)
        (created,), made = self.run(self.kit.create(job))
        holder = self.model.keys.get(key) if key else None
        assert created.deduplicated == (holder is not None), "I9: a key with two holders, or none"
        assert created.chain_id == (holder or job.chain_id)
        if not holder:
            if key:
                self.model.keys[key] = job.chain_id
            self.model.start(job.chain_id, run_at=self.model.now + delay, blockers=blockers)
        self.expect(made)

    @rule(limit=st.integers(1, 4))
    @precondition(lambda self: self.model.due())
    def complete_some(self, limit: int) -> None:
        self.work(limit, "complete")

    @rule(limit=st.integers(1, 2))
    @precondition(lambda self: self.model.due())
    def continue_some(self, limit: int) -> None:
        self.work(limit, "continue")

    @rule(limit=st.integers(1, 2))
    @precondition(lambda self: self.model.due())
    def fail_some(self, limit: int) -> None:
        self.work(limit, "fail")

    def work(self, limit: int, outcome: str) -> None:
        """Claim a few and settle them in one batch."""
        claimed = self.claim_some(limit, lease=30, timeout=60, suspect=True)
        settled = self.run(self.kit.settle_all(*(Settlement(job, _OUTCOMES[outcome], "w") for job in claimed)))
        assert settled.verdicts == (Verdict.DONE,) * len(claimed)
        jobs = [self.model.tail(job.lease.chain_id) for job in claimed]
        for job in jobs:
            if outcome == "continue":
                self.model.go_on(job, "continue", 0)
            else:
                self.model.close(job, outcome, "completed" if outcome == "complete" else "failed")
        self.expect(settled.transitions)

    @rule(data=st.data())
    @precondition(lambda self: self.open_chains())
    def request_finish(self, data: st.DataObject) -> None:
        job = self.any_open(data)
        made = self.run(self.kit.finish(job.chain))
        self.model.close(job, "complete_externally", "completed")
        self.expect(made)

    @rule(data=st.data())
    @precondition(lambda self: self.open_chains())
    def request_cancel(self, data: st.DataObject) -> None:
        job = self.any_open(data)
        made = self.run(self.kit.cancel(job.chain))
        self.model.close(job, "cancel", "cancelled")
        self.expect(made)

    @rule(data=st.data())
    @precondition(lambda self: len(self.model.chains) > 3)
    def request_delete(self, data: st.DataObject) -> None:
        chosen = data.draw(st.lists(st.sampled_from(sorted(self.model.chains)), unique=True, min_size=1, max_size=3))
        if any(set(blockers) & set(chosen) for chain, blockers in self.model.blockers.items() if chain not in chosen):
            self.refuses(StillReferenced, self.kit.delete(*chosen))
            return
        made = self.run(self.kit.delete(*chosen))
        for chain in chosen:
            for job in self.model.chains.pop(chain):
                self.model.moves.append(("delete", chain, job.status(self.model.now), None))
            del self.model.blockers[chain]
            self.model.keys = {key: holder for key, holder in self.model.keys.items() if holder != chain}
        self.expect(made)

    @rule()
    def sweep(self) -> None:
        """With so few dependents nothing is ever left behind."""
        self.expect(self.run(self.kit.mop_up()))

    def any_open(self, data: st.DataObject) -> Job:
        return self.model.tail(data.draw(st.sampled_from(self.open_chains())))

    @invariant()
    def blockers_stand_as_they_do(self) -> None:
        """Outputs come in the order given, with the statuses of the blockers."""
        if not self.model.chains:
            return
        answer = self.run(self.adapter.blocker_outputs([(chain, 0) for chain in sorted(self.model.chains)]))
        for chain, blockers in self.model.blockers.items():
            found = [(one.chain_id, _stored(one.status.value)) for one in answer.get((chain, 0), [])]
            expected = [(one, _stored(self.model.tail(one).status(self.model.now))) for one in blockers]
            assert found == expected, f"blockers of {chain}: {found}, expected {expected}"


Machine = TypeVar("Machine", bound=_Machine)


def on(machine: type[Machine], factory: Callable[[], StateAdapter]) -> type[Machine]:
    """The machine, bound to the store of the adapters that ``factory`` makes."""
    return cast("type[Machine]", type(machine.__name__, (machine,), {"make": staticmethod(factory)}))


_OUTCOMES: dict[str, Outcome] = {
    "complete": Completes("1"),
    "fail": Fails(FAILURE),
    "continue": Continues(Successor(type="work", input="1")),
}


def _by_chain(moves: list[Move]) -> list[Move]:
    return sorted(moves, key=lambda move: move[1])


def _word(status: object) -> str | None:
    return None if status is None else str(status)


def _stored(status: str) -> str:
    """Scheduled and ready are one in the store, where the clock tells them apart: it is the database's, not ours."""
    return "waiting" if status in ("scheduled", "ready") else status
