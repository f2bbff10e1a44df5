"""Queries with any filters, compared with a walk over all rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, Literal

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from msgspec.structs import replace

from otelq.model import (
    Amendment,
    Completes,
    Continues,
    Fails,
    JobQuery,
    Match,
    Outcome,
    Status,
    Successor,
)

from ..model import commands, leases
from ..model.filters import chains_of, jobs_of
from .machine import FAILURE, TYPES, Machine
from .pages import all_chains, all_jobs, counted

MOST = 14
A_YEAR = 365 * 86400.0
QUEUES = ("default", "mail")
TENANTS = ("north", "south")
COLOURS = ("red", "green")
PAYLOADS = (
    '{"a": 1}',
    '{"a": "1", "b": [true, null]}',
    '{"a": {"b": "50%_\\\\"}}',
    '"Word"',
    "[1, 1.5]",
    "null",
    "true",
)
"""Values that may be confused with others: numbers for booleans, wildcards, a null for nothing."""
PATHS: tuple[tuple[str | int, ...], ...] = ((), ("a",), ("b", 0), ("b", 1), ("a", "b"), (0,), (1,), ("0",), (-1,))
VALUES = ("1", '"1"', "true", "null", "1.5", '"Word"', '{"b": "50%_\\\\"}', "[1,1.5]", "[true,null]")
TEXTS = ("a", "Word", "word", "50%", "%", "_", "true", "\\", "z")

PARTS: tuple[Literal["input", "output"], ...] = ("input", "output")
TAGS = ((("colour", "red"),), (("colour", "green"), ("size", "1")), (("size", "2"),))
QUESTIONS = 4
"""The number of queries for jobs, and of queries for chains, in a step."""


@st.composite
def metas(draw: st.DrawFn) -> str | None:
    """Draw the metadata of a chain."""
    colour, size, tenant = draw(st.sampled_from((None, *COLOURS))), draw(st.booleans()), draw(st.sampled_from(TENANTS))
    tags = {"size": "1"} if size else {}
    if colour:
        tags["colour"] = colour
    meta: dict[str, Any] = {"tags": tags, "tenant": tenant}
    return json.dumps(meta) if draw(st.booleans()) else None


OUTCOMES: st.SearchStrategy[Outcome] = st.one_of(
    st.builds(Completes, st.sampled_from(PAYLOADS)),
    st.just(Fails(FAILURE)),
    st.none().map(lambda _: Continues(Successor(type="work", input="1"))),
)


class QueryMachine(Machine):
    """Chains in every status, with every kind of metadata, and queries for them."""

    @initialize(number=st.integers(2, 6), data=st.data())
    def begin(self, number: int, data: st.DataObject) -> None:
        self.open()
        for _ in range(number):
            self.create_one(data)

    @rule(data=st.data())
    @precondition(lambda self: len(self.model.chains) < MOST)
    def create(self, data: st.DataObject) -> None:
        self.create_one(data)

    def create_one(self, data: st.DataObject) -> None:
        chains = self.chain_ids()
        few = st.lists(st.sampled_from(chains), unique=True, max_size=2) if chains else st.just([])
        job = self.kit.job(
            data.draw(st.sampled_from(TYPES), label="type"),
            data.draw(st.sampled_from(PAYLOADS), label="input"),
            queue=data.draw(st.sampled_from(QUEUES), label="queue"),
            meta=data.draw(metas(), label="meta"),
            blockers=tuple(data.draw(few, label="blockers")),
            delay=data.draw(st.sampled_from([0.0, 0.0, A_YEAR]), label="delay"),
        )
        made = self.both(self.kit.create(job), lambda model: leases.start(model, [job]))
        assert made is not None
        self.expect(made[1])
        self.pass_time(1.0)

    @rule(data=st.data(), type=st.sampled_from(TYPES), limit=st.integers(1, 3))
    @precondition(lambda self: self.model.open())
    def work(self, data: st.DataObject, type: str, limit: int) -> None:
        """Settle a few jobs, one after the other. Continuations carry the metadata of their chain."""
        for claim in self.claim_some(type, limit):
            outcome = data.draw(OUTCOMES, label="outcome")
            if isinstance(outcome, Continues):
                following = data.draw(st.sampled_from(TYPES), label="next")
                outcome = Continues(Successor(type=following, input='{"a": 2}', meta=claim.meta))
            self.settle_some((claim, outcome))

    @rule(type=st.sampled_from(TYPES))
    @precondition(lambda self: self.model.open())
    def run_one(self, type: str) -> None:
        self.claim_some(type, 1)

    @rule(data=st.data(), input=st.sampled_from(PAYLOADS))
    @precondition(lambda self: self.model.with_status("blocked", "scheduled", "ready"))
    def amend(self, data: st.DataObject, input: str) -> None:
        chain = self.chain(data, "blocked", "scheduled", "ready")
        amendment = Amendment(chain_id=chain, input=input)
        self.ask(self.kit.amend_all(amendment), lambda model: commands.amend(model, amendment))

    @rule(data=st.data())
    @precondition(lambda self: len(self.open_chains()) > 3)
    def request_cancel(self, data: st.DataObject) -> None:
        chain = data.draw(st.sampled_from(self.open_chains()), label="chain")
        self.ask(self.kit.cancel(chain), lambda model: commands.cancel(model, [chain]))

    @rule(data=st.data())
    @precondition(lambda self: self.model.with_status("failed", "cancelled"))
    def redrive(self, data: st.DataObject) -> None:
        chain = self.chain(data, "failed", "cancelled")
        self.ask(self.kit.redrive(chain), lambda model: commands.redrive(model, [chain]))

    @rule(seed=st.integers(0, 2**32))
    @precondition(lambda self: self.model.chains)
    def ask_around(self, seed: int) -> None:
        """Send a few queries with some filters each, chosen by a seed: a draw for each filter would be too many."""
        lot = Random(seed)
        for _ in range(QUESTIONS):
            self.ask_for_jobs(self.a_query(lot))
            self.ask_for_chains(replace(self.a_query(lot), chain_types=()))

    def ask_for_jobs(self, query: JobQuery) -> None:
        found, expected = self.run(all_jobs(self.adapter, query)), jobs_of(self.model, query)
        assert found == expected, f"{query}: {found}, expected {expected}"
        self.count(query, "jobs", len(expected))

    def ask_for_chains(self, query: JobQuery) -> None:
        found, expected = self.run(all_chains(self.adapter, query)), chains_of(self.model, query)
        assert found == expected, f"{query}: {found}, expected {expected}"
        self.count(query, "chains", len(expected))

    def count(self, query: JobQuery, of: Literal["jobs", "chains"], number: int) -> None:
        self.run(counted(self.adapter, query, of, number=number, rows=len(self.model.jobs())))

    def a_query(self, lot: Random) -> JobQuery:
        """Return a query with up to three filters: more would find nothing."""
        filters = self.filters(lot)
        fields = {name: filters[name]() for name in lot.sample(sorted(filters), lot.choice((0, 1, 1, 2, 2, 3)))}
        return JobQuery(limit=lot.choice((1, 3, 50)), scan_limit=lot.choice((1, 3, 5_000)), **fields)

    def filters(self, lot: Random) -> dict[str, Callable[[], Any]]:
        """Return for each filter a function that chooses its value."""
        chains = self.chain_ids()

        def some(of: Sequence[Any], most: int) -> tuple[Any, ...]:
            return tuple(lot.sample(of, lot.randint(1, min(most, len(of)))))

        def moment() -> datetime:
            return self.model.now + timedelta(seconds=lot.randint(-12, 1))

        return {
            "types": lambda: some((*TYPES, "unknown"), 2),
            "chain_types": lambda: some((*TYPES, "unknown"), 2),
            "queues": lambda: some((*QUEUES, "unknown"), 2),
            "statuses": lambda: frozenset(some(tuple(Status), 4)),
            "chain_ids": lambda: some(chains, 4),
            "blocked_by": lambda: lot.choice(chains),
            "tags": lambda: lot.choice(TAGS),
            "tenant": lambda: lot.choice((*TENANTS, "nobody")),
            "since": moment,
            "until": moment,
            "roots": lambda: True,
            "matches": lambda: tuple(_match(lot) for _ in range(lot.choice((1, 1, 2)))),
            "text": lambda: lot.choice(TEXTS),
        }


def _match(lot: Random) -> Match:
    return Match(part=lot.choice(PARTS), path=lot.choice(PATHS), value=lot.choice(VALUES))
