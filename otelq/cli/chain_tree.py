"""Draws a stored chain: its jobs, their attempts and their blockers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rich.table import Table
from rich.text import Text

from ..client import Client
from ..model import AttemptRecord, JobRecord, Status, Verb, job_id
from ..texts import line as shown
from .tree import walk

COLOURS = {Status.COMPLETED: "green", Status.CONTINUED: "cyan", Status.FAILED: "red", Status.CANCELLED: "yellow"}
LONG_WAIT = 0.25
"""The shortest wait, in seconds, that is shown for a job."""


@dataclass(frozen=True, slots=True)
class ChainLine:
    """One row of the drawing, with the rows below it."""

    name: str
    status: Status | None = None
    note: str = ""
    children: Sequence[ChainLine] = field(default=())


async def read_chain(client: Client, chain_id: str) -> ChainLine:
    """Read a chain and the blockers of its jobs, and theirs, from the database."""
    jobs = [job async for job in client.iterate_jobs(chain=chain_id)]
    steps = [await _read_job(client, job) for job in jobs]
    outcomes = await client.engine.state.blocker_outputs([(chain_id, job.position) for job in jobs])
    blockers = [await read_chain(client, blocker.chain_id) for of_job in outcomes.values() for blocker in of_job]
    blocker_lines = [ChainLine("blockers", note=f"{len(blockers)} chains", children=blockers)] if blockers else []
    head, tail = jobs[0], jobs[-1]
    took = f"{(tail.closed_at - head.created_at).total_seconds():.2f} s" if tail.closed_at else "open"
    return ChainLine(f"chain {head.type}", tail.status, took, [*blocker_lines, *steps])


def draw_chains(chains: Iterable[ChainLine]) -> Table:
    """Draw chains as trees, with a column for the status and one for the attempts."""
    table = Table.grid(padding=(0, 3, 0, 0))
    for no_wrap in (True, True, False):
        table.add_column(no_wrap=no_wrap)
    for chain in chains:
        for branch, line in walk(chain, lambda line: line.children):
            name = Text.assemble((branch, "dim"), (shown(line.name), "bold" if line.name.startswith("chain ") else ""))
            status = Text(line.status or "", style=COLOURS.get(line.status, "") if line.status else "")
            table.add_row(name, status, Text(shown(line.note), style="dim"))
        table.add_row()
    return table


async def _read_job(client: Client, job: JobRecord) -> ChainLine:
    attempts = await client.attempts(job_id(job.chain_id, job.position))
    return ChainLine(job.type, job.status, _history(attempts, job))


def _history(attempts: Sequence[AttemptRecord], job: JobRecord) -> str:
    history = [f"attempt {attempt.number} {_outcome(attempt)}" for attempt in attempts] if len(attempts) > 1 else []
    if attempts and (begun := attempts[0].started_at) is not None:
        wait = (begun - job.created_at).total_seconds()
        if wait >= LONG_WAIT:
            history.insert(0, f"began {wait:.2f} s after it was created")
    return ", ".join(history)


def _outcome(attempt: AttemptRecord) -> str:
    if attempt.failure is not None:
        return f"failed ({attempt.failure.type})"
    return {Verb.COMPLETE: "completed", Verb.CONTINUE: "continued"}.get(attempt.verb, str(attempt.verb))
