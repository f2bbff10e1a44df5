"""The life of a few jobs without blockers: every verb of workers and clients, with current and stale tokens."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from otelq.model import (
    Amendment,
    Claimed,
    ClaimSuccessor,
    Closure,
    Completes,
    Continues,
    Fails,
    Lease,
    Outcome,
    Releases,
    Retries,
    Settled,
    SettleResult,
    Snoozes,
    Successor,
    Verb,
)

from ..model import commands, leases
from .machine import FAILURE, TYPES, Machine

MAX_ATTEMPTS = 3
MAX_CRASHES = 2
PRIORITIES = st.integers(-1, 1)
MOST = 4
"""The most chains that are open at a time: few, so that the rules meet."""
A_YEAR = 365 * 86400.0
"""A delay that has not passed for the clock of the questions either."""
DELAYS = st.sampled_from([0.0, 5.0, A_YEAR])
SUCCESSORS = st.builds(
    Successor,
    type=st.sampled_from(TYPES),
    input=st.sampled_from(["1", '"next"']),
    delay=DELAYS,
    priority=st.none() | PRIORITIES,
)
OUTCOMES: st.SearchStrategy[Outcome] = st.one_of(
    st.builds(Completes, st.sampled_from(["1", "null"])),
    st.builds(Retries, st.sampled_from([0.0, 5.0]), st.just(FAILURE)),
    st.builds(Snoozes, st.sampled_from([0.0, 5.0]), st.sampled_from([None, FAILURE])),
    st.builds(Fails, st.just(FAILURE)),
    st.builds(Releases),
    st.builds(Continues, SUCCESSORS),
)
AMENDMENTS = st.fixed_dictionaries(
    {},
    optional={
        "step": st.sampled_from(TYPES),
        "aliases": st.just(TYPES),
        "priority": PRIORITIES,
        "delay": DELAYS,
        "input": st.sampled_from(['"amended"', "[2]"]),
    },
)


class LifeMachine(Machine):
    """A few jobs, every verb of a single job, a moving clock, and current and stale tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.settled: dict[Lease, tuple[Claimed, Outcome, Settled]] = {}

    @initialize(priorities=st.lists(PRIORITIES, min_size=1, max_size=3))
    def begin(self, priorities: list[int]) -> None:
        self.open()
        for priority in priorities:
            self.create("work", priority=priority)

    def create(self, type: str, **fields: Any) -> None:
        job = self.kit.job(type, **fields)
        made = self.both(self.kit.create(job), lambda model: leases.start(model, [job]))
        assert made is not None
        self.expect(made[1])

    @rule(type=st.sampled_from(TYPES), delay=DELAYS, priority=PRIORITIES, expires=st.sampled_from([None, 3.0, 30.0]))
    @precondition(lambda self: len(self.open_chains()) < MOST)
    def create_another(self, type: str, delay: float, priority: int, expires: float | None) -> None:
        self.create(type, delay=delay, priority=priority, expires=expires)

    # Work under a lease

    @rule(
        type=st.sampled_from(TYPES),
        limit=st.integers(1, 3),
        lease=st.sampled_from([5.0, 20.0]),
        timeout=st.sampled_from([30.0, 10.0, None]),
        suspect=st.booleans(),
    )
    def claim(self, type: str, limit: int, lease: float, timeout: float | None, suspect: bool) -> None:
        self.claim_some(type, limit, lease=lease, timeout=timeout, suspect=suspect)

    @rule(times=st.integers(1, 3))
    @precondition(lambda self: self.model.due("work"))
    def claim_in_vain(self, times: int) -> None:
        """Spend attempts on one job after the other."""
        for _ in range(times):
            for claim in self.claim_some("work", 1):
                self.settle_held(claim, Retries(0.0, FAILURE), twice=False)

    @rule(data=st.data())
    @precondition(lambda self: self.live())
    def release_claim(self, data: st.DataObject) -> None:
        token = self.one_live(data).lease.token
        self.ask(self.kit.release_claim(token), lambda model: leases.release_claim(model, token))

    @rule(data=st.data(), seconds=st.sampled_from([60.0, 5.0]))
    @precondition(lambda self: self.live() or self.model.due("work"))
    def renew(self, data: st.DataObject, seconds: float) -> None:
        self.renew_held(self.one_live(data), seconds)

    def renew_held(self, claim: Claimed, seconds: float) -> None:
        (verdict,) = self.run(self.kit.renew(claim.lease, seconds=seconds))
        job = self.model.tail(claim.lease.chain_id)
        if job.deadline is not None and job.deadline <= self.model.now:
            assert verdict is SettleResult.LOST, f"renewed past the deadline: {verdict}"
            return
        assert verdict is SettleResult.DONE, verdict
        leases.hold(self.model, job, seconds)
        self.history.seen[Verb.RENEW] += 1

    @rule(data=st.data())
    @precondition(lambda self: self.live())
    def hold_too_long(self, data: st.DataObject) -> None:
        """Renew a lease up to its deadline, and then once more."""
        claim = self.one_live(data)
        job = self.model.tail(claim.lease.chain_id)
        self.renew_held(claim, 60.0)
        if job.deadline is not None:
            self.pass_time(max(0.0, (job.deadline - self.model.now).total_seconds()))
            self.renew_held(claim, 60.0)

    @rule(data=st.data(), outcome=OUTCOMES, twice=st.booleans())
    @precondition(lambda self: self.live())
    def settle(self, data: st.DataObject, outcome: Outcome, twice: bool) -> None:
        self.settle_held(self.one_live(data), outcome, twice=twice)

    @rule(outcomes=st.lists(OUTCOMES, min_size=1, max_size=3), twice=st.booleans())
    @precondition(lambda self: self.model.due("work"))
    def work(self, outcomes: list[Outcome], twice: bool) -> None:
        """Claim and settle at once, a few times over."""
        for outcome in outcomes:
            for claim in self.claim_some("work", 1):
                self.settle_held(claim, outcome, twice=twice)

    @rule(data=st.data(), successor=SUCCESSORS)
    @precondition(lambda self: self.live())
    def settle_and_keep(self, data: st.DataObject, successor: Successor) -> None:
        keep = ClaimSuccessor(token=self.kit.token(), lease=5.0, timeout=30.0)
        self.settle_held(self.one_live(data), Continues(successor, keep), twice=True)

    def settle_held(self, claim: Claimed, outcome: Outcome, *, twice: bool) -> None:
        settled = self.settle_some((claim, outcome))
        assert settled is not None
        self.settled[claim.lease] = claim, outcome, settled
        if twice:
            self.settle_again(claim.lease)

    def settle_again(self, lease: Lease) -> None:
        """Settle again as after a lost reply: the answer is the same, whatever happened to the job since."""
        claim, outcome, settled = self.settled[lease]
        again = self.run(self.kit.settle(claim, outcome))
        assert again.results == settled.results, f"a repeat is {again.results}"
        assert again.transitions == settled.transitions, f"a repeat made {again.transitions}"

    @rule(data=st.data())
    @precondition(lambda self: self.settled_before())
    def settle_once_more(self, data: st.DataObject) -> None:
        self.settle_again(data.draw(st.sampled_from(self.settled_before())))

    def settled_before(self) -> list[Lease]:
        """
        Return the settled leases of chains that still exist. Those with a claimed successor are left out: it would be
        granted again only while its lease is held.
        """
        return [
            lease
            for lease, (_, _, settled) in self.settled.items()
            if lease.chain_id in self.model.chains and not settled.claimed_successors
        ]

    @rule(data=st.data(), outcome=OUTCOMES)
    @precondition(lambda self: self.unsettled())
    def settle_too_late(self, data: st.DataObject, outcome: Outcome) -> None:
        claim = data.draw(st.sampled_from(self.unsettled()))
        settled = self.run(self.kit.settle(claim, outcome))
        assert settled.results != (SettleResult.DONE,), "I2: settled under a lost lease"
        assert not settled.transitions, "a lost settlement made transitions"
        (verdict,) = self.run(self.kit.renew(claim.lease))
        assert verdict in (SettleResult.LOST, SettleResult.CANCELLED), f"I2: renewed a lease that is lost: {verdict}"

    def unsettled(self) -> list[Claimed]:
        """
        Return the claims that lost their job before they settled it. The port leaves open what another outcome gets.
        """
        return [claim for claim in self.stale() if claim.lease not in self.settled]

    def one_live(self, data: st.DataObject) -> Claimed:
        """Return a claim that holds its job, claimed on purpose if there is none."""
        if not self.live():
            self.claim_some("work", 1)
        return data.draw(st.sampled_from(self.live()), label="claim")

    # Leases that run out

    @rule(delay=st.sampled_from([0.0, 5.0]), spare=st.booleans())
    @precondition(lambda self: self.live())
    def crash(self, delay: float, spare: bool) -> None:
        """Let the last lease run out, then reap."""
        until = max(job.leased_until for job in self.model.open() if job.leased_until)
        self.pass_time(max(0.0, (until - self.model.now).total_seconds()) + 1)
        for type in TYPES:
            self.reap(type, delay, spare)

    @rule(type=st.sampled_from(TYPES), delay=st.sampled_from([0.0, 5.0]), spare=st.booleans())
    def reap(self, type: str, delay: float, spare: bool) -> None:
        tokens = [job.token for job in self.model.open() if job.token is not None]
        limits: dict[str, Any] = {"max_attempts": MAX_ATTEMPTS, "max_crashes": MAX_CRASHES, "delay": delay}
        limits["except_tokens"] = tokens[:1] if spare else []
        self.ask(self.kit.reap(type, **limits), lambda model: leases.reap(model, type=type, **limits))

    @rule()
    def expire(self) -> None:
        self.ask(self.kit.expire(), commands.expire)

    @rule(type=st.sampled_from(TYPES), delay=st.sampled_from([0.0, A_YEAR]))
    @precondition(lambda self: len(self.open_chains()) < MOST)
    def expire_later(self, type: str, delay: float) -> None:
        """Start a job and let it expire; nothing may claim it afterwards."""
        self.create(type, delay=delay, expires=2.0)
        self.pass_time(2.0)
        self.claim_some(type, 3)

    # By request

    @rule(data=st.data(), fields=AMENDMENTS)
    @precondition(lambda self: self.model.chains)
    def amend(self, data: st.DataObject, fields: dict[str, Any]) -> None:
        amendment = Amendment(chain_id=self.chain(data), **fields)
        self.ask(self.kit.amend_all(amendment), lambda model: commands.amend(model, amendment))

    @rule(data=st.data(), step=st.sampled_from(TYPES), successor=st.none() | SUCCESSORS)
    @precondition(lambda self: self.model.chains)
    def request_finish(self, data: st.DataObject, step: str, successor: Successor | None) -> None:
        outcome = Continues(successor) if successor else Completes("1")
        closure = Closure(chain_id=self.chain(data), step=step, outcome=outcome)
        made = self.kit.complete_all_externally((closure.chain_id, step, outcome))
        self.ask(made, lambda model: commands.complete_externally(model, closure))

    @rule(data=st.data())
    @precondition(lambda self: self.model.chains)
    def request_cancel(self, data: st.DataObject) -> None:
        chain = self.chain(data)
        self.ask(self.kit.cancel(chain), lambda model: commands.cancel(model, [chain]))

    @rule(data=st.data())
    @precondition(lambda self: self.model.chains)
    def request_trigger(self, data: st.DataObject) -> None:
        chain = self.chain(data)
        self.ask(self.kit.trigger(chain), lambda model: commands.trigger(model, [chain]))

    @rule(data=st.data())
    @precondition(lambda self: self.model.with_status("failed", "cancelled"))
    def redrive(self, data: st.DataObject) -> None:
        self.redrive_it(self.chain(data, "failed", "cancelled"))

    @rule(data=st.data())
    @precondition(lambda self: self.model.chains)
    def redrive_any(self, data: st.DataObject) -> None:
        self.redrive_it(self.chain(data))

    def redrive_it(self, chain: str) -> None:
        self.ask(self.kit.redrive(chain), lambda model: commands.redrive(model, [chain]))

    @rule(data=st.data(), runs=st.booleans())
    @precondition(lambda self: self.live() or self.model.due("work"))
    def take_over(self, data: st.DataObject, runs: bool) -> None:
        """Take a job from its worker, or one without a worker, which is refused."""
        chain = self.one_live(data).lease.chain_id if runs else self.chain(data)
        self.ask(self.kit.take_over(chain), lambda model: commands.take_over(model, [chain]))

    @rule(data=st.data())
    @precondition(lambda self: len(self.model.chains) > 2)
    def request_removal(self, data: st.DataObject) -> None:
        chain = self.chain(data)
        self.ask(self.kit.delete(chain), lambda model: commands.delete(model, [chain], cascade=False))
