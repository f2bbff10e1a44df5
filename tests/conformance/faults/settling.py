"""Outcomes that are written wrongly."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from otelq.errors import Refused
from otelq.memory.state import MemoryState
from otelq.memory.statement import Statement
from otelq.memory.store import OpenJob
from otelq.model import (
    Claimed,
    Completes,
    Fails,
    Failure,
    Settled,
    Settlement,
    Status,
    Successor,
    Verb,
    Verdict,
)

from .planting import instead_of, real


@instead_of(Statement, "_put_back")
def forgets_to_give_an_attempt_back(self: Any, verb: Verb, row: OpenJob, **call: Any) -> None:
    given = row.attempt + (verb is not Verb.RETRY)
    real("Statement._put_back", self, verb, replace(row, attempt=given), **call)


@instead_of(Statement, "_put_back")
def gives_every_attempt_back(self: Any, verb: Verb, row: OpenJob, **call: Any) -> None:
    given = row.attempt - (verb is Verb.RETRY)
    real("Statement._put_back", self, verb, replace(row, attempt=given), **call)


@instead_of(Statement, "_put_back")
def knows_no_delay(self: Any, verb: Verb, row: OpenJob, *, delay: float, **call: Any) -> None:
    real("Statement._put_back", self, verb, row, delay=0, **call)


@instead_of(Statement, "_put_back")
def releases_later(self: Any, verb: Verb, row: OpenJob, *, delay: float, **call: Any) -> None:
    real("Statement._put_back", self, verb, row, delay=delay or 1, **call)


@instead_of(Statement, "_put_back")
def counts_a_retry_for_a_crash(self: Any, verb: Verb, row: OpenJob, **call: Any) -> None:
    real("Statement._put_back", self, verb, replace(row, crashes=row.crashes + 1), **call)


@instead_of(Statement, "_outcome")
def counts_nothing_in_the_record(self: Any, row: OpenJob, status: Status) -> Any:
    return replace(real("Statement._outcome", self, row, status), attempt=0, closed_at=self._now - timedelta(days=1))


@instead_of(Statement, "_close")
def closes_without_writing_the_outcome(self: Any, *args: Any, **call: Any) -> None:
    real("Statement._close", self, *args, **{**call, "output": None, "failure": None})


@instead_of(Statement, "_close")
def calls_every_end_completed(self: Any, verb: Verb, row: OpenJob, status: Status, **call: Any) -> None:
    real("Statement._close", self, verb, row, status, **call)
    key = row.chain_id, row.position
    self._store.outcomes.put(key, replace(self._store.outcomes[key], status=Status.COMPLETED))


@instead_of(Statement, "_close")
def reports_a_close_twice(self: Any, *args: Any, **call: Any) -> None:
    real("Statement._close", self, *args, **call)
    self.made.append(self.made[-1])


@instead_of(Statement, "_continue")
def hands_no_priority_on(self: Any, verb: Verb, row: OpenJob, successor: Successor, **call: Any) -> Any:
    return real("Statement._continue", self, verb, row, replace(successor, priority=0), **call)


@instead_of(Statement, "_continue")
def hands_crashes_on(self: Any, verb: Verb, row: OpenJob, *args: Any, **call: Any) -> Any:
    following = real("Statement._continue", self, verb, row, *args, **call)
    self._store.open.put(row.chain_id, replace(following, crashes=row.crashes, attempt=row.attempt))
    return following


@instead_of(Statement, "_continue")
def creates_a_successor_silently(self: Any, verb: Verb, row: OpenJob, *args: Any, **call: Any) -> Any:
    following = real("Statement._continue", self, verb, row, *args, **call)
    self.made.pop()
    return following


@instead_of(Statement, "_keep")
def keeps_nothing(self: Any, row: OpenJob, keep: object, *, worker: str) -> None:
    return None


@instead_of(Statement, "_keep")
def keeps_everything(self: Any, row: OpenJob, keep: Any, *, worker: str) -> Claimed:
    claimed: Claimed = self._lease(row, keep, worker=worker, token=keep.token)
    return claimed


@instead_of(Statement, "_keep")
def keeps_under_the_old_token(self: Any, row: OpenJob, keep: Any, *, worker: str) -> Any:
    return real("Statement._keep", self, row, replace(keep, token=1, timeout=None), worker=worker)


@instead_of(Statement, "_end_attempt")
def records_no_attempt(self: Any, *args: Any, **call: Any) -> None:
    return None


@instead_of(Statement, "_end_attempt")
def records_attempts_without_their_failure(self: Any, *args: Any, **call: Any) -> None:
    real("Statement._end_attempt", self, *args, **{**call, "failure": None, "trace": None})


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
        return Settled(verdicts=(Verdict.LOST,) * len(settlements), transitions=(), kept={})
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
