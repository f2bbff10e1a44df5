"""I1, I2 and I11: leases, one at a time, each under a token of its own, and none for ever."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from otelq.model import Verb

from ...invariants import Violation
from .facts import Facts
from .replay import History, Job, Tenure, found

GRAIN = timedelta(milliseconds=2)
"""SQLite's clock has milliseconds."""


def one_lease(history: History, facts: Facts) -> Iterator[Violation]:
    """I1: no lease begins while another of its job lives, and no token is used twice for one job."""
    seen: set[tuple[str, int, int]] = set()
    for tenure in history.tenures:
        row = tenure.begun.old
        if row is not None and row["token"] is not None and row["position"] == tenure.position:
            yield found(
                "I1", "one lease at a time", tenure.job, f"{tenure.token} was leased while {row['token']} lived"
            )
        if (*tenure.job, tenure.token) in seen:
            yield found("I1", "a token of its own", tenure.job, f"token {tenure.token} was used twice")
        seen.add((*tenure.job, tenure.token))


def no_start_without_a_claim(history: History, facts: Facts) -> Iterator[Violation]:
    """
    I1: a handler runs only under a token that was claimed for its job, once, and only after the claim.

    After a crash a handler may run under a claim that was forgotten; whatever it does then is fenced off.
    """
    claimed = {(*tenure.job, tenure.token): tenure.begun.seq for tenure in history.tenures}
    started: set[tuple[str, int, int]] = set()
    for entry in history.entries:
        if entry.kind != "start":
            continue
        job, key = (entry.chain_id, entry.position), (entry.chain_id, entry.position, entry.token)
        if key not in claimed and facts.may_be_forgotten(entry.at, max(facts.leases.values(), default=0.0)):
            continue
        if entry.seq < claimed.get(key, entry.seq + 1):
            yield found("I1", "starts are claimed", job, f"started under {entry.token}, which was not claimed")
        if key in started:
            yield found("I1", "starts are claimed", job, f"started twice under {entry.token}")
        started.add(key)


def renewals_in_bounds(history: History, facts: Facts) -> Iterator[Violation]:
    """I2: a renewal extends a lease by its length at most, and never past its deadline."""
    for change in history.of("open_job"):
        old, new = change.old, change.new
        if old is None or new is None or new["token"] is None:
            continue
        job: Job = (str(change.chain_id), new["position"])
        lease = facts.leases.get(new["type"])
        if new["deadline"] is not None and new["leased_until"] > new["deadline"]:
            yield found("I2", "within the deadline", job, f"leased until {new['leased_until']}, past its deadline")
        if lease is not None and new["leased_until"] > change.at + timedelta(seconds=lease) + GRAIN:
            yield found("I2", "as long as its type says", job, f"leased until {new['leased_until']} at {change.at}")


def reaped_when_lost(history: History, facts: Facts) -> Iterator[Violation]:
    """I11: a lease is reaped only once it ran out, and whatever ran out is taken back in time."""
    reaped = {move.seq: move for move in history.reading.moves if move.verb is Verb.REAP}
    for tenure in history.tenures:
        end = tenure.ended
        if end is not None and end.seq in reaped and end.at + GRAIN < tenure.until:
            yield found("I11", "reaped when it ran out", tenure.job, f"at {end.at}, but leased until {tenure.until}")
        yield from _taken_back(tenure, history, facts)


def _taken_back(tenure: Tenure, history: History, facts: Facts) -> Iterator[Violation]:
    end = tenure.ended.at if tenure.ended is not None else history.ended_at
    limit = facts.allowed(tenure.until, facts.reap_interval)
    if end is not None and end > limit:
        yield found("I11", "taken back in time", tenure.job, f"leased until {tenure.until}, held until {end}")
