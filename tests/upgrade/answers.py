"""The answers of a client to questions about every chain, as JSON values."""

from __future__ import annotations

from typing import Any

import msgspec

import otelq

FILTERS: dict[str, dict[str, Any]] = {
    "by tag": {"tags": {"shop": "north"}},
    "by tenant": {"tenant": "Ærø"},
    "by text": {"text": "🚀"},
    "by blocker": {"blocked_by": "019ac0de-0001-7000-8000-000000000001"},
    "failed": {"status": "failed"},
}

OF_WORKERS = {"not_served", "no_worker", "type_refused", "all_busy"}
"""Reasons that depend on the workers that happen to run, in the words of all versions."""


async def answers(client: otelq.Client) -> dict[str, Any]:
    """Return what the client says about all that is stored."""
    jobs = [job async for job in client.iterate_jobs()]
    chains = [chain async for chain in client.iterate_chains()]
    return {
        "chains": {one.type: [one.chain_id, one.head.id, one.tail.id, one.tail.status] for one in chains},
        "jobs": {job.id: _plain(job) for job in jobs},
        "meta": {job.id: [dict(job.tags), dict(job.headers), job.tenant, job.request_id] for job in jobs},
        "attempts": {job.id: _plain(await client.attempts(job.id)) for job in jobs},
        "blockers": {job.id: _plain(await client.blockers(job.id)) for job in jobs},
        "reasons": {job.id: await _reasons(client, job.id) for job in jobs},
        "found": {name: [job.id for job in (await client.jobs(**one)).items] for name, one in FILTERS.items()},
        "counts": {status: (await client.count(of="chains", status=status)).number for status in otelq.Status},
    }


def restricted(value: Any, like: Any) -> Any:
    """Return only the fields that the other value has: later code may add some."""
    if isinstance(value, dict) and isinstance(like, dict):
        return {key: restricted(value[key], like[key]) for key in like if key in value}
    if isinstance(value, list) and isinstance(like, list) and len(value) == len(like):
        return [restricted(*pair) for pair in zip(value, like, strict=True)]
    return value


async def _reasons(client: otelq.Client, job_id: str) -> list[str]:
    """Return the reasons that follow from what is stored, not from the workers that happen to run."""
    codes = [reason.code for reason in (await client.explain(job_id)).reasons]
    return [code for code in codes if code not in OF_WORKERS]


def _plain(value: object) -> Any:
    return msgspec.to_builtins(value)
