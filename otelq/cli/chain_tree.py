"""A chain as it is stored, drawn for people: its jobs, their attempts, and the chains that it waited for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rich.table import Table
from rich.text import Text

from ..client import Client
from ..model import AttemptRecord, JobRecord, Status, Verb, job_id
from ..texts import line as shown
from .tree import lines

COLOURS = {Status.COMPLETED: "green", Status.CONTINUED: "cyan", Status.FAILED: "red", Status.CANCELLED: "yellow"}
LONG_WAIT = 0.25
"""Seconds from which on it is worth telling that a job did not begin at once."""


@dataclass(frozen=True, slots=True)
class ChainLine:
    """One row of the drawing, and what hangs under it."""

    name: str
    status: Status | None = None
    note: str = ""
    below: Sequence[ChainLine] = field(default=())


async def read_chain(client: Client, chain_id: str) -> ChainLine:
    """What the database holds about a chain, and about the chains that fed its jobs."""
    jobs = [job async for job in client.iterate_jobs(chain=chain_id)]
    steps = [await _read_job(client, job) for job in jobs]
    blockers = await client.engine.state.blocker_outputs([(chain_id, job.position) for job in jobs])
    feeders = [await read_chain(client, blocker.chain_id) for fed in blockers.values() for blocker in fed]
    waited = [ChainLine("waited for", note=f"{len(feeders)} chains", below=feeders)] if feeders else []
    head, tail = jobs[0], jobs[-1]
    took = f"{(tail.closed_at - head.created_at).total_seconds():.2f} s" if tail.closed_at else "open"
    return ChainLine(f"chain {head.type}", tail.status, took, [*waited, *steps])


def drawn(chains: Iterable[ChainLine]) -> Table:
    """Chains as trees, with a column for how things stand and one for what happened."""
    table = Table.grid(padding=(0, 3, 0, 0))
    for no_wrap in (True, True, False):
        table.add_column(no_wrap=no_wrap)
    for chain in chains:
        for branch, line in lines(chain, lambda line: line.below):
            name = Text.assemble((branch, "dim"), (shown(line.name), "bold" if line.name.startswith("chain ") else ""))
            status = Text(line.status or "", style=COLOURS.get(line.status, "") if line.status else "")
            table.add_row(name, status, Text(shown(line.note), style="dim"))
        table.add_row()
    return table


async def _read_job(client: Client, job: JobRecord) -> ChainLine:
    attempts = await client.attempts(job_id(job.chain_id, job.position))
    return ChainLine(job.type, job.status, _history(attempts, job))


def _history(attempts: Sequence[AttemptRecord], job: JobRecord) -> str:
    told = [f"attempt {attempt.number} {_ending(attempt)}" for attempt in attempts] if len(attempts) > 1 else []
    if attempts and (begun := attempts[0].started_at) is not None:
        wait = (begun - job.created_at).total_seconds()
        if wait >= LONG_WAIT:
            told.insert(0, f"began {wait:.2f} s after it was created")
    return ", ".join(told)


def _ending(attempt: AttemptRecord) -> str:
    if attempt.failure is not None:
        return f"failed ({attempt.failure.type})"
    return {Verb.COMPLETE: "completed", Verb.CONTINUE: "continued"}.get(attempt.verb, str(attempt.verb))
