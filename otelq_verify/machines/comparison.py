"""Comparisons of the store's answers with those of the model."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import asdict, replace

from otelq.model import AttemptRecord, ChainOutcome, ChainRecord, Claimed, Failure, JobKey, JobQuery, JobRecord
from otelq.ports.state import StateAdapter

from ..model import Model
from ..model.records import attempt_records, chain_outcome, chain_record, first_due, job_record

S = TypeVar("S", bound=Struct)
Payload = TypeVar("Payload", JobRecord, ChainOutcome)
EVERYTHING = JobQuery(limit=1000)


async def same_records(adapter: StateAdapter, model: Model, touched: Collection[JobKey]) -> Sequence[JobRecord]:
    """Compare all records, and the attempts of the touched jobs; return the records of all jobs."""
    jobs = await _same_jobs(adapter, model)
    await _same_chains(adapter, model)
    await _same_outcomes(adapter, model)
    await _same_blockers(adapter, model)
    for chain, position in sorted(touched):
        await _same_attempts(adapter, model, (chain, position))
    return jobs


async def _same_jobs(adapter: StateAdapter, model: Model) -> Sequence[JobRecord]:
    found = (await adapter.jobs(EVERYTHING)).items
    newest_first = [job for chain in sorted(model.chains, reverse=True) for job in model.chains[chain]]
    same([_alike(job) for job in found], [_alike(job_record(model, job)) for job in newest_first], "jobs")
    return found


async def _same_chains(adapter: StateAdapter, model: Model) -> None:
    found = (await adapter.chains(EVERYTHING)).items
    expected = [chain_record(model, chain) for chain in sorted(model.chains, reverse=True)]
    same([_alike_chain(one) for one in found], [_alike_chain(one) for one in expected], "chains")


async def _same_outcomes(adapter: StateAdapter, model: Model) -> None:
    found = await adapter.outcomes(sorted(model.chains))
    expected = [chain_outcome(model, chain) for chain in sorted(model.chains)]
    same([_alike(found[chain]) for chain in sorted(found)], [_alike(one) for one in expected], "outcomes")


async def _same_blockers(adapter: StateAdapter, model: Model) -> None:
    answer = await adapter.blocker_outputs([(job.chain, job.position) for job in model.jobs()])
    for job in model.jobs():
        found = answer.get((job.chain, job.position), ())
        expected = [chain_outcome(model, blocker) for blocker in job.blockers]
        same([_alike(one) for one in found], [_alike(one) for one in expected], f"blockers of {job}")


async def _same_attempts(adapter: StateAdapter, model: Model, key: JobKey) -> None:
    found = await adapter.attempts(*key)
    expected = attempt_records(model.chains[key[0]][key[1]])
    same([_alike_attempt(one) for one in found], [_alike_attempt(one) for one in expected], f"attempts of {key}")


def same_claim(model: Model, claimed: Claimed) -> None:
    """Check that a worker is given the job that the model has."""
    job = model.tail(claimed.lease.chain_id)
    expected = Claimed(
        lease=claimed.lease,
        type=job.type,
        queue=job.queue,
        chain_type=model.chains[job.chain][0].type,
        input=_json(job.input if job.amended is None else job.amended) or "",
        attempt=job.attempt,
        crashes=job.crashes,
        priority=job.priority,
        due_at=job.run_at,
        created_at=job.created_at,
        chain_created_at=model.chains[job.chain][0].created_at,
        claimed_at=model.now,
        leased_until=job.leased_until or model.now,
        blockers=len(job.blockers),
        meta=claimed.meta,
    )
    same([replace(claimed, input=_json(claimed.input) or "")], [expected], "claim")
    assert claimed.lease.position == job.position


def next_dues(model: Model, type: str) -> set[float | None]:
    """
    Return the seconds until a job of the type is due; both answers if the port leaves open that an expired job counts.
    """
    due = first_due(model, type)
    answers = {None if due is None else max(0.0, (due - model.now).total_seconds())}
    if any(job.has_expired(model.now) for job in model.open()):
        due = first_due(model, type, unexpired=True)
        answers.add(None if due is None else max(0.0, (due - model.now).total_seconds()))
    return answers


def same(found: Sequence[S], expected: Sequence[S], what: str) -> None:
    """Demand equal rows, and name the fields in which they differ."""
    if found == expected:
        return
    assert len(found) == len(expected), f"{what}: {len(found)} found, {len(expected)} expected: {found}, {expected}"
    raise AssertionError(f"{what}: {'; '.join(_differences(found, expected))}")


def _differences(found: Iterable[S], expected: Iterable[S]) -> list[str]:
    pairs = [(asdict(one), asdict(other)) for one, other in zip(found, expected, strict=True) if one != other]
    return [
        f"{name} is {one[name]!r}, expected {other[name]!r} in {one}"
        for one, other in pairs
        for name in one
        if one[name] != other[name]
    ]


def _alike(record: Payload) -> Payload:
    """Return a record without the text of its failure, which is the adapter's own, and with its JSON in one form."""
    record = replace(record, output=_json(record.output), failure=_kind(record.failure))
    if isinstance(record, JobRecord):
        return replace(record, input=_json(record.input), amended_input=_json(record.amended_input))
    return record


def _alike_chain(record: ChainRecord) -> ChainRecord:
    return replace(record, head=_alike(record.head), tail=_alike(record.tail))


def _alike_attempt(record: AttemptRecord) -> AttemptRecord:
    return replace(record, failure=_kind(record.failure))


def _kind(failure: Failure | None) -> Failure | None:
    """Return a failure without its text: of several failed blockers, either may be named."""
    return None if failure is None else Failure(failure.type, "")


@lru_cache(1000)
def _json(text: str | None) -> str | None:
    return None if text is None else json.dumps(json.loads(text), sort_keys=True)
