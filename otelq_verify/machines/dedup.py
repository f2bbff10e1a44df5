"""Starts that share dedup keys, in every scope and under aliases, while the holders of the keys start and end."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from otelq.model import Completes, Continues, Dedup, Fails, NewJob, Outcome, Successor

from ..model import commands, leases
from .machine import FAILURE, TYPES, Machine

MOST = 10
KEYS = ("a", "b")
OUTCOMES: tuple[Outcome, ...] = (
    Completes("1"),
    Fails(FAILURE),
    Continues(Successor(type="work", input="1")),
)


class DedupMachine(Machine):
    """Chains that are started with dedup keys."""

    @initialize()
    def begin(self) -> None:
        self.open()

    @rule(data=st.data(), size=st.integers(1, 3))
    @precondition(lambda self: len(self.model.chains) < MOST)
    def create(self, data: st.DataObject, size: int) -> None:
        """Start a few in one batch; each gets the holder of its key, or is new, as in the model."""
        jobs = [self.one_start(data) for _ in range(size)]
        found: list[str] = []
        answer = self.both(self.kit.create(*jobs), lambda model: found.extend(leases.start(model, jobs)))
        assert answer is not None
        created, made = answer
        assert [one.chain_id for one in created] == found, f"I9: {created}, expected {found}"
        for job, one in zip(jobs, created, strict=True):
            assert one.deduplicated == (one.chain_id != job.chain_id), f"I9: {one} of {job}"
        self.expect(made)

    def one_start(self, data: st.DataObject) -> NewJob:
        dedup = Dedup(
            data.draw(st.sampled_from(KEYS), label="key"),
            scope=data.draw(st.sampled_from(["open", "any"]), label="scope"),
            window=data.draw(st.sampled_from([None, None, 3.0]), label="window"),
            exclude=self.excluded(data),
        )
        type = data.draw(st.sampled_from(TYPES), label="type")
        others = [other for other in TYPES if other != type]
        aliases = data.draw(st.lists(st.sampled_from(others), unique=True), label="aliases")
        return self.kit.job(type, dedup=dedup, aliases=tuple(aliases))

    def excluded(self, data: st.DataObject) -> tuple[str, ...]:
        """Return a chain to exclude now and then, one that holds a key."""
        holders = sorted(holder.chain for holder in self.model.holders.values())
        if not holders or not data.draw(st.booleans(), label="exclude"):
            return ()
        return (data.draw(st.sampled_from(holders), label="excluded"),)

    @rule(outcome=st.sampled_from(OUTCOMES), limit=st.integers(1, 2), type=st.sampled_from(TYPES))
    @precondition(lambda self: self.model.chains)
    def work(self, outcome: Outcome, limit: int, type: str) -> None:
        self.settle_some(*((claim, outcome) for claim in self.claim_some(type, limit)))

    @rule(data=st.data())
    @precondition(lambda self: self.open_chains())
    def request_cancel(self, data: st.DataObject) -> None:
        chain = data.draw(st.sampled_from(self.open_chains()), label="chain")
        self.ask(self.kit.cancel(chain), lambda model: commands.cancel(model, [chain]))

    @rule(data=st.data())
    @precondition(lambda self: self.model.with_status("failed", "cancelled"))
    def redrive(self, data: st.DataObject) -> None:
        """Redrive one or two; a key that both had, or that another chain has by now, forbids it."""
        closed = st.sampled_from(self.chain_ids("failed", "cancelled"))
        chains = data.draw(st.lists(closed, unique=True, min_size=1, max_size=2), label="chains")
        self.ask(self.kit.redrive(*chains), lambda model: commands.redrive(model, chains))

    @rule(data=st.data())
    @precondition(lambda self: len(self.model.chains) > 4)
    def request_removal(self, data: st.DataObject) -> None:
        chain = self.chain(data)
        self.ask(self.kit.delete(chain), lambda model: commands.delete(model, [chain], cascade=False))
