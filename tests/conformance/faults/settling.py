"""Outcomes that are written wrongly."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from otelq.errors import Refused
from otelq.model import (
    Claimed,
    Completes,
    Fails,
    Failure,
    Settled,
    Settlement,
    SettleResult,
    Status,
    Successor,
    Verb,
)
from tests.conformance.specimen import claiming, ending, settling
from tests.conformance.specimen.state import MemoryState
from tests.conformance.specimen.store import OpenJob

from .planting import instead_of, real


@instead_of(settling, "put_back")
def forgets_to_give_an_attempt_back(db: Any, row: OpenJob, *, verb: Verb, **call: Any) -> None:
    given = row.attempt + (verb is not Verb.RETRY)
    real("settling.put_back", db, replace(row, attempt=given), verb=verb, **call)


@instead_of(settling, "put_back")
def gives_every_attempt_back(db: Any, row: OpenJob, *, verb: Verb, **call: Any) -> None:
    given = row.attempt - (verb is Verb.RETRY)
    real("settling.put_back", db, replace(row, attempt=given), verb=verb, **call)


@instead_of(settling, "put_back")
def knows_no_delay(db: Any, row: OpenJob, *, delay: float, **call: Any) -> None:
    real("settling.put_back", db, row, delay=0, **call)


@instead_of(settling, "put_back")
def releases_later(db: Any, row: OpenJob, *, delay: float, **call: Any) -> None:
    real("settling.put_back", db, row, delay=delay or 1, **call)


@instead_of(settling, "put_back")
def counts_a_retry_for_a_crash(db: Any, row: OpenJob, **call: Any) -> None:
    real("settling.put_back", db, replace(row, crashes=row.crashes + 1), **call)


@instead_of(ending, "put_outcome")
def counts_nothing_in_the_record(db: Any, row: OpenJob, **call: Any) -> None:
    real("ending.put_outcome", db, replace(row, attempt=0), **call)
    key = row.chain_id, row.position
    db.store.outcomes.put(key, replace(db.store.outcomes[key], closed_at=db.now - timedelta(days=1)))


@instead_of(ending, "close")
def closes_without_writing_the_outcome(db: Any, *args: Any, **call: Any) -> None:
    real("ending.close", db, *args, **{**call, "output": None, "failure": None})


@instead_of(ending, "close")
def calls_every_end_completed(db: Any, row: OpenJob, **call: Any) -> None:
    real("ending.close", db, row, **call)
    key = row.chain_id, row.position
    db.store.outcomes.put(key, replace(db.store.outcomes[key], status=Status.COMPLETED))


@instead_of(ending, "close")
def reports_a_close_twice(db: Any, *args: Any, **call: Any) -> None:
    real("ending.close", db, *args, **call)
    db.made.append(db.made[-1])


@instead_of(settling, "go_on")
def hands_no_priority_on(db: Any, row: OpenJob, *, successor: Successor, **call: Any) -> Any:
    return real("settling.go_on", db, row, successor=replace(successor, priority=0), **call)


@instead_of(settling, "go_on")
def hands_crashes_on(db: Any, row: OpenJob, **call: Any) -> Any:
    following = real("settling.go_on", db, row, **call)
    db.store.open.put(row.chain_id, replace(following, crashes=row.crashes, attempt=row.attempt))
    return following


@instead_of(settling, "go_on")
def creates_a_successor_silently(db: Any, row: OpenJob, **call: Any) -> Any:
    following = real("settling.go_on", db, row, **call)
    db.made.pop()
    return following


@instead_of(claiming, "keep")
def keeps_nothing(db: Any, row: OpenJob, *, wanted: object, worker: str) -> None:
    return None


@instead_of(claiming, "keep")
def keeps_everything(db: Any, row: OpenJob, *, wanted: Any, worker: str) -> Claimed:
    claimed: Claimed = claiming.lease(db, row, wanted=wanted, worker=worker, token=wanted.token)
    return claimed


@instead_of(claiming, "keep")
def keeps_under_the_old_token(db: Any, row: OpenJob, *, wanted: Any, worker: str) -> Any:
    return real("claiming.keep", db, row, wanted=replace(wanted, token=1, timeout=None), worker=worker)


@instead_of(ending, "end_attempt")
def records_no_attempt(db: Any, *args: Any, **call: Any) -> None:
    return None


@instead_of(ending, "end_attempt")
def records_attempts_without_their_failure(db: Any, *args: Any, **call: Any) -> None:
    real("ending.end_attempt", db, *args, **{**call, "failure": None, "trace": None})


@instead_of(MemoryState, "settle")
async def takes_one_settlement_at_a_time(self: Any, settlements: Sequence[Settlement], **call: Any) -> Any:
    if len(settlements) > 1:
        raise Refused("one at a time")
    return await real("MemoryState.settle", self, settlements, **call)


@instead_of(MemoryState, "settle")
async def settles_the_good_part_of_a_refused_batch(self: Any, settlements: Sequence[Settlement], **call: Any) -> Any:
    try:
        return await real("MemoryState.settle", self, settlements, **call)
    except Refused:
        for settlement in settlements[:1]:
            await real("MemoryState.settle", self, [settlement], **call)
        raise


@instead_of(MemoryState, "settle")
async def calls_lost_what_is_busy(self: Any, settlements: Sequence[Settlement], **call: Any) -> Any:
    if call.get("tx") is None and self._writer.locked():
        return Settled(results=(SettleResult.LOST,) * len(settlements), transitions=(), claimed_successors={})
    return await real("MemoryState.settle", self, settlements, **call)


@instead_of(MemoryState, "settle")
async def mangles_what_is_not_ascii(self: Any, settlements: Sequence[Settlement], **call: Any) -> Any:
    return await real("MemoryState.settle", self, [_mangled(one) for one in settlements], **call)


def _mangled(settlement: Settlement) -> Settlement:
    match settlement.outcome:
        case Completes(output):
            outcome: Any = Completes(_tame(output))
        case Fails(Failure(type, text)):
            outcome = Fails(Failure(_tame(type), _tame(text)))
        case other:
            outcome = other
    return Settlement(settlement.job, outcome, _tame(settlement.worker), settlement.trace)


def _tame(text: str) -> str:
    kept = "".join(character for character in text if character.isalnum() and character.isascii())
    return kept[:30]
