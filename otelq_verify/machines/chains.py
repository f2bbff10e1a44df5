"""Chains that wait for each other, by every rule, and close one by one and in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from otelq.model import (
    Amendment,
    Blocks,
    Claimed,
    Closure,
    Completes,
    Continues,
    Fails,
    NewJob,
    OnFailure,
    Outcome,
    Releases,
    Successor,
    Until,
)

from ..model import commands, leases
from ..model.blockers import reaches, wait_for
from .machine import FAILURE, Machine

UNTIL = st.sampled_from(Until)
ON_FAILURE = st.sampled_from(OnFailure)
MOST = 12
"""The most chains at a time: few, so that they meet."""
AT_ONCE: Mapping[str, Any] = {}
DELAYED: Mapping[str, Any] = {"delay": 300.0}
EXPIRING: Mapping[str, Any] = {"expires": 5.0}
STRANGER = "01900000-0000-7000-8000-000000000000"
"""The id of a chain that was never started."""


def _continues(*blockers: str, until: Until = Until.ALL, on_failure: OnFailure = OnFailure.FAIL) -> Continues:
    return Continues(Successor(type="work", input="1", blockers=blockers, until=until, on_failure=on_failure))


class ChainMachine(Machine):
    """Chains that wait for each other."""

    @initialize(number=st.integers(1, 4))
    def begin(self, number: int) -> None:
        self.open()
        for _ in range(number):
            self.create(self.kit.job())

    def create(self, *jobs: NewJob) -> None:
        created = self.both(self.kit.create(*jobs), lambda model: leases.start(model, jobs))
        if created is not None:
            self.expect(created[1])

    def any_of(self, data: st.DataObject, chains: Sequence[str], *, least: int = 1, most: int = 3) -> tuple[str, ...]:
        chosen = st.lists(st.sampled_from(chains), unique=True, min_size=least, max_size=most)
        return tuple(data.draw(chosen, label="chains")) if chains else ()

    # Chains that begin to wait

    @rule(data=st.data(), until=UNTIL, on_failure=ON_FAILURE, delay=st.sampled_from([0.0, 0.0, 8.0]))
    @precondition(lambda self: len(self.model.chains) < MOST)
    def create_any(self, data: st.DataObject, until: Until, on_failure: OnFailure, delay: float) -> None:
        """Start a chain that may wait for others, open or closed."""
        blockers = self.any_of(data, self.chain_ids(), least=0)
        self.create(self.kit.job(blockers=blockers, until=until, on_failure=on_failure, delay=delay))

    @rule(data=st.data(), until=UNTIL, on_failure=ON_FAILURE, times=st.sampled_from([AT_ONCE, DELAYED, EXPIRING]))
    @precondition(lambda self: len(self.open_chains()) >= 2 and len(self.model.chains) < MOST)
    def create_dependent(
        self, data: st.DataObject, until: Until, on_failure: OnFailure, times: Mapping[str, Any]
    ) -> None:
        """Start a chain that waits for several open ones."""
        blockers = self.any_of(data, self.open_chains(), least=2)
        self.create(self.kit.job(blockers=blockers, until=until, on_failure=on_failure, **times))

    @rule(data=st.data(), until=UNTIL)
    @precondition(lambda self: len(self.model.chains) < MOST)
    def create_pair(self, data: st.DataObject, until: Until) -> None:
        """Start two in one batch, of which the second waits for the first and perhaps for another."""
        first = self.kit.job()
        others = self.any_of(data, self.chain_ids(), least=0, most=1)
        self.create(first, self.kit.job(blockers=(first.chain_id, *others), until=until))

    @rule(data=st.data())
    @precondition(lambda self: len(self.model.chains) < MOST)
    def create_without_blocker(self, data: st.DataObject) -> None:
        """Start a chain with a blocker that does not exist: it is refused, and its neighbour with it."""
        self.create(self.kit.job(), self.kit.job(blockers=(STRANGER, *self.any_of(data, self.chain_ids(), most=1))))

    # Work

    @rule(limit=st.integers(1, 4))
    @precondition(lambda self: self.model.due("work"))
    def complete_some(self, limit: int) -> None:
        self.work(limit, Completes("1"))

    @rule(limit=st.integers(1, 2))
    @precondition(lambda self: self.model.due("work"))
    def continue_some(self, limit: int) -> None:
        self.work(limit, _continues())

    @rule(limit=st.integers(1, 2))
    @precondition(lambda self: self.model.due("work"))
    def fail_some(self, limit: int) -> None:
        self.work(limit, Fails(FAILURE))

    def work(self, limit: int, outcome: Outcome) -> None:
        """Claim a few and settle them in one batch."""
        self.settle_some(*((claim, outcome) for claim in self.claim_some("work", limit)))

    @rule(data=st.data(), until=UNTIL, on_failure=ON_FAILURE, twice=st.booleans())
    @precondition(lambda self: self.model.due("work"))
    def block_one(self, data: st.DataObject, until: Until, on_failure: OnFailure, twice: bool) -> None:
        """Let a running job wait for others, or for itself through others, which is refused."""
        for claim in self.claim_some("work", 1):
            chain = claim.lease.chain_id
            blockers = self.undisputed(chain, self.blockers_of(data, chain), until=until, on_failure=on_failure)
            outcome = Blocks(blockers, until, on_failure)
            self.settle_or_release(claim, outcome, twice=twice)

    @rule(data=st.data(), until=UNTIL, on_failure=ON_FAILURE, twice=st.booleans())
    @precondition(lambda self: self.model.due("work"))
    def continue_waiting(self, data: st.DataObject, until: Until, on_failure: OnFailure, twice: bool) -> None:
        """Continue a chain with a job that waits."""
        for claim in self.claim_some("work", 1):
            chain = claim.lease.chain_id
            blockers = self.undisputed(chain, self.blockers_of(data, chain), until=until, on_failure=on_failure)
            outcome = _continues(*blockers, until=until, on_failure=on_failure)
            self.settle_or_release(claim, outcome, twice=twice)

    def undisputed(
        self, chain: str, blockers: tuple[str, ...], *, until: Until, on_failure: OnFailure
    ) -> tuple[str, ...]:
        """
        Return the blockers without those that close a cycle where the rest ends the wait at once: the port leaves that
        case open.
        """
        if STRANGER in blockers or wait_for(self.model, chains=blockers, until=until, on_failure=on_failure):
            return blockers
        return tuple(blocker for blocker in blockers if not reaches(self.model, blocker, goal=chain))

    def blockers_of(self, data: st.DataObject, chain: str) -> tuple[str, ...]:
        """Return chains to wait for; now and then the chain itself is among them, or one that does not exist."""
        others = [other for other in self.chain_ids() if other != chain]
        odd = data.draw(st.sampled_from([None, None, None, chain, STRANGER]), label="odd")
        return (*self.any_of(data, others), *([odd] if odd else []))

    def settle_or_release(self, claim: Claimed, outcome: Outcome, *, twice: bool) -> None:
        settled = self.settle_some((claim, outcome))
        if settled is None:
            self.settle_some((claim, Releases()))
        elif twice:
            again = self.run(self.kit.settle(claim, outcome))
            assert again.results == settled.results, f"a repeat is {again.results}"
            made = [sorted(one.transitions, key=lambda made: made.chain_id) for one in (settled, again)]
            assert made[0] == made[1], f"a repeat made {made[1]}, at first {made[0]}"

    @rule(data=st.data(), limit=st.integers(2, 4))
    @precondition(lambda self: len(self.model.due("work")) > 1)
    def settle_mixed(self, data: st.DataObject, limit: int) -> None:
        """Settle in one batch jobs that close and jobs that begin to wait for them, or for each other."""
        claimed = self.claim_some("work", limit)
        chains = [claim.lease.chain_id for claim in claimed]
        items = [(claim, self.one_outcome(data, chains)) for claim in claimed]
        if self.settle_some(*items) is None:
            self.settle_some(*((claim, Releases()) for claim in claimed))

    def one_outcome(self, data: st.DataObject, chains: Sequence[str]) -> Outcome:
        """Return an outcome that waits for one chain at most, so that no order decides if its condition is met."""
        chain = data.draw(st.sampled_from(chains), label="blocker")
        on_failure = data.draw(ON_FAILURE, label="on_failure")
        outcomes: list[Outcome] = [
            Completes("1"),
            Fails(FAILURE),
            Blocks((chain,), on_failure=on_failure),
            _continues(chain, on_failure=on_failure),
            _continues(),
        ]
        return data.draw(st.sampled_from(outcomes), label="outcome")

    @rule(limit=st.integers(1, 2))
    @precondition(lambda self: self.model.due("work"))
    def lose_some(self, limit: int) -> None:
        """Let the leases of a few run out; their attempts are spent."""
        self.claim_some("work", limit, lease=5.0)
        self.pass_time(31.0)
        limits: dict[str, Any] = {"max_attempts": 1, "max_crashes": 9, "delay": 0.0}
        self.ask(self.kit.reap("work", **limits), lambda model: leases.reap(model, type="work", **limits))

    # By request

    @rule(data=st.data(), until=UNTIL, on_failure=ON_FAILURE, waits=st.booleans())
    @precondition(lambda self: self.open_chains())
    def request_finish(self, data: st.DataObject, until: Until, on_failure: OnFailure, waits: bool) -> None:
        chain = data.draw(st.sampled_from(self.open_chains()), label="chain")
        blockers = self.any_of(data, data.draw(st.sampled_from([self.chain_ids(), [STRANGER]]))) if waits else ()
        blockers = self.undisputed(chain, blockers, until=until, on_failure=on_failure)
        outcome = _continues(*blockers, until=until, on_failure=on_failure) if waits else Completes("1")
        closure = Closure(chain_id=chain, step="work", outcome=outcome)
        self.ask(
            self.kit.complete_externally(chain, outcome), lambda model: commands.complete_externally(model, closure)
        )

    @rule(data=st.data())
    @precondition(lambda self: self.open_chains())
    def request_cancel(self, data: st.DataObject) -> None:
        """Cancel a few together, of which one may wait for another."""
        chains = self.any_of(data, self.open_chains(), most=2)
        self.ask(self.kit.cancel(*chains), lambda model: commands.cancel(model, chains))

    @rule(data=st.data(), delay=st.sampled_from([None, 0.0, 8.0]))
    @precondition(lambda self: self.model.with_status("blocked"))
    def amend(self, data: st.DataObject, delay: float | None) -> None:
        """Amend a blocked job; it stays blocked, and is due at its new time."""
        amendment = Amendment(chain_id=self.chain(data, "blocked"), delay=delay, input='"amended"')
        self.ask(self.kit.amend_all(amendment), lambda model: commands.amend(model, amendment))

    @rule(data=st.data())
    @precondition(lambda self: self.open_chains() and len(self.model.chains) < MOST)
    def expire(self, data: st.DataObject) -> None:
        """Let a few chains expire, some of them blocked."""
        self.create(self.kit.job(blockers=self.any_of(data, self.open_chains(), least=0), expires=5.0))
        self.pass_time(5.0)
        self.ask(self.kit.expire(), commands.expire)

    @rule(data=st.data())
    @precondition(lambda self: self.model.with_status("failed", "cancelled"))
    def redrive_some(self, data: st.DataObject) -> None:
        """Redrive a few together; a blocker that is not among them may have failed for good."""
        self.redrive(self.any_of(data, self.chain_ids("failed", "cancelled")))

    @rule(data=st.data())
    @precondition(lambda self: self.model.chains)
    def redrive_any(self, data: st.DataObject) -> None:
        self.redrive(self.any_of(data, self.chain_ids(), most=2))

    def redrive(self, chains: Sequence[str]) -> None:
        self.ask(self.kit.redrive(*chains), lambda model: commands.redrive(model, chains))

    @rule(data=st.data(), cascade=st.booleans())
    @precondition(lambda self: len(self.model.chains) > 3)
    def request_removal(self, data: st.DataObject, cascade: bool) -> None:
        chains = self.any_of(data, self.chain_ids())
        made = self.kit.delete(*chains, cascade=cascade)
        self.ask(made, lambda model: commands.delete(model, chains, cascade=cascade))

    @rule()
    def sweep(self) -> None:
        """Unblock what is pending: with so few dependents there is never anything."""
        self.expect(self.run(self.kit.unblock_pending()))
