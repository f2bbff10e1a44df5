"""Redrives that open too much, or leave something behind."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from msgspec.structs import replace

from otelq.errors import AlreadyExists, InvalidArgument, NotFound
from otelq.model import JobKey, OnFailure
from tests.conformance.specimen import ending, keys, redriving, unblocking
from tests.conformance.specimen.store import Chain, OpenJob, Outcome

from .planting import instead_of, real


@instead_of(redriving, "fresh")
def keeps_the_attempts(db: Any, row: OpenJob) -> Any:
    return replace(real("redriving.fresh", db, row), attempt=row.attempt)


@instead_of(redriving, "fresh")
def keeps_the_crashes(db: Any, row: OpenJob) -> Any:
    return replace(real("redriving.fresh", db, row), crashes=row.crashes)


@instead_of(redriving, "fresh")
def loses_the_priority(db: Any, row: OpenJob) -> Any:
    return replace(real("redriving.fresh", db, row), priority=0)


@instead_of(redriving, "fresh")
def keeps_the_plan(db: Any, row: OpenJob) -> Any:
    return replace(real("redriving.fresh", db, row), run_at=row.run_at)


@instead_of(redriving, "fresh")
def keeps_the_lease(db: Any, row: OpenJob) -> Any:
    fresh = real("redriving.fresh", db, row)
    return replace(fresh, token=row.token, claimed_at=row.claimed_at, leased_until=row.leased_until)


@instead_of(redriving, "fresh")
def keeps_the_time_to_expire(db: Any, row: OpenJob) -> Any:
    return replace(real("redriving.fresh", db, row), expires_at=row.expires_at)


@instead_of(redriving, "fresh")
def forgets_the_rule(db: Any, row: OpenJob) -> Any:
    plain = OpenJob(chain_id="", position=0, type="", priority=0, run_at=db.now)
    return replace(real("redriving.fresh", db, row), until=plain.until, on_failure=plain.on_failure)


@instead_of(redriving, "reopen")
def takes_the_first_input_again(db: Any, outcome: Outcome) -> None:
    real("redriving.reopen", db, outcome)
    key = outcome.row.chain_id, outcome.row.position
    db.store.requests.put(key, replace(db.store.requests[key], amended=None))


@instead_of(redriving, "reopen")
def opens_another_job(db: Any, outcome: Outcome) -> None:
    real("redriving.reopen", db, outcome)
    row = db.store.open[outcome.row.chain_id]
    db.store.open.put(row.chain_id, replace(row, type=db.store.chains[row.chain_id].type))


@instead_of(redriving, "reopen")
def leaves_dependents_untold(db: Any, outcome: Outcome) -> None:
    real("redriving.reopen", db, outcome)
    for job in db.store.awaiting(outcome.row.chain_id):
        db.store.edges.put((*job, outcome.row.chain_id), False)


@instead_of(redriving, "renumber")
def begins_no_generation(db: Any, key: JobKey, *, outcome: Outcome) -> None:
    return None


@instead_of(redriving, "renumber")
def forgets_the_attempts(db: Any, key: JobKey, *, outcome: Outcome) -> None:
    db.store.attempts.pop(key)


@instead_of(redriving, "renumber")
def calls_every_generation_the_first(db: Any, key: JobKey, *, outcome: Outcome) -> None:
    real("redriving.renumber", db, key, outcome=outcome)
    first = (replace(one, record=replace(one.record, generation=1)) for one in db.store.attempts[key])
    db.store.attempts.put(key, tuple(first))


@instead_of(redriving, "_closing")
def invents_a_worker(outcome: Outcome) -> Any:
    return replace(real("redriving._closing", outcome), worker="worker", token=1, started_at=outcome.closed_at)


@instead_of(keys, "take_back")
def takes_no_key_back(db: Any, chain: Chain) -> None:
    return None


@instead_of(keys, "take_back")
def takes_the_key_from_others(db: Any, chain: Chain) -> None:
    real("keys.take", db, chain)


@instead_of(keys, "take_back")
def keeps_the_key_for_good(db: Any, chain: Chain) -> None:
    real("keys.take_back", db, replace(chain, dedup=chain.dedup and replace(chain.dedup, scope="any")))


@instead_of(keys, "take_back")
def takes_no_lasting_key_back(db: Any, chain: Chain) -> None:
    if chain.dedup and (chain.type, chain.dedup.key) in db.store.holders:
        raise AlreadyExists("the key is held")
    real("keys.take_back", db, chain)


@instead_of(redriving, "wait_anew")
def waits_for_no_blockers_again(db: Any, outcome: Outcome) -> None:
    row = outcome.row
    db.store.blockers.pop((row.chain_id, row.position))
    real("redriving.wait_anew", db, outcome)


@instead_of(redriving, "wait_anew")
def waits_for_what_can_never_be(db: Any, outcome: Outcome) -> None:
    row = db.store.open[outcome.row.chain_id]
    blockers = db.store.blockers.get((row.chain_id, row.position)) or ()
    if any(unblocking.standing(db, blocker) in unblocking.BAD_ENDS for blocker in blockers):
        db.store.open.put(row.chain_id, replace(row, on_failure=OnFailure.WAIT))
    real("redriving.wait_anew", db, outcome)


@instead_of(redriving, "wait_anew")
def names_no_blocker(db: Any, outcome: Outcome) -> None:
    try:
        real("redriving.wait_anew", db, outcome)
    except InvalidArgument:
        raise InvalidArgument("chain", "cannot be met") from None


@instead_of(redriving, "wait_anew")
def refuses_every_bad_blocker(db: Any, outcome: Outcome) -> None:
    row = outcome.row
    for blocker in db.store.blockers.get((row.chain_id, row.position)) or ():
        if unblocking.standing(db, blocker) in unblocking.BAD_ENDS:
            raise InvalidArgument("chain", f"has the blocker {blocker}")
    real("redriving.wait_anew", db, outcome)


@instead_of(redriving, "wait_anew")
def fails_by_its_blockers_at_once(db: Any, outcome: Outcome) -> None:
    for job in db.store.awaiting(outcome.row.chain_id):
        if row := unblocking.waiting_row(db, job):
            unblocking.unblock(db, row)
    real("redriving.wait_anew", db, outcome)


@instead_of(redriving, "outcome_of")
def redrives_completed_chains(db: Any, chain_id: str) -> Any:
    is_closed = chain_id in db.store.chains and chain_id not in db.store.open
    return ending.last_outcome(db, chain_id) if is_closed else real("redriving.outcome_of", db, chain_id)


@instead_of(redriving, "outcome_of")
def calls_every_refused_chain_missing(db: Any, chain_id: str) -> Any:
    try:
        return real("redriving.outcome_of", db, chain_id)
    except InvalidArgument:
        raise NotFound("no such chain") from None


@instead_of(redriving, "fresh")
def forgets_the_trace_of_the_last_attempt(db: Any, row: Any) -> Any:
    return replace(real("redriving.fresh", db, row), last_trace=None)


@instead_of(redriving, "redrive")
def redrives_one_after_the_other(db: Any, chain_ids: Collection[str]) -> None:
    for chain_id in chain_ids:
        real("redriving.redrive", db, [chain_id])


@instead_of(redriving, "redrive")
def redrives_in_its_own_order(db: Any, chain_ids: Collection[str]) -> None:
    real("redriving.redrive", db, sorted(chain_ids))


@instead_of(redriving, "redrive")
def redrives_what_is_there(db: Any, chain_ids: Collection[str]) -> None:
    real("redriving.redrive", db, [chain_id for chain_id in chain_ids if chain_id in db.store.chains])


@instead_of(redriving, "redrive")
def redrives_silently(db: Any, chain_ids: Collection[str]) -> None:
    real("redriving.redrive", db, chain_ids)
    db.made.clear()


@instead_of(redriving, "redrive")
def redrives_the_dependents_too(db: Any, chain_ids: Collection[str]) -> None:
    dependents = {chain_id for blocker in chain_ids for chain_id, _ in db.store.dependents(blocker)}
    failed = [chain_id for chain_id in dependents if chain_id not in db.store.open]
    real("redriving.redrive", db, list(dict.fromkeys([*chain_ids, *failed])))


@instead_of(redriving, "redrive")
def redrives_nothing_of_an_empty_batch(db: Any, chain_ids: Collection[str]) -> None:
    if not chain_ids:
        raise InvalidArgument("chains", "is empty")
    real("redriving.redrive", db, chain_ids)
