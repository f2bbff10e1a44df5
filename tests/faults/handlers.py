"""The handlers that worker processes run in these tests."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import otelq

LEASE: Final = 2.0
STEPS: Final = 3


class Notebook:
    """Lines that outlive the process: each is in the file as soon as it is written."""

    def __init__(self, folder: Path, worker: str) -> None:
        self.folder = folder
        self.worker = worker
        self._file = os.open(folder / "notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, word: str, *rest: object) -> None:
        os.write(self._file, (" ".join((word, *map(str, rest))) + "\n").encode())


async def record(attempt: otelq.Attempt[Any], tx: Any) -> None:
    """Write the one row that this attempt leaves if it closes its job."""
    worker = attempt.get(Notebook).worker
    position = int(attempt.job_id.rpartition(".")[2])
    row = (attempt.chain_id, position, attempt.token, attempt.number, worker, otelq.new_id())
    if hasattr(tx, "fetchval"):
        await tx.execute("INSERT INTO ledger VALUES ($1, $2, $3, $4, $5, $6)", *row)
    else:
        await tx.execute("INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?)", row)


# Chains of three steps


@dataclass(frozen=True)
class Walk:
    """How long each step takes in seconds, before its write and, with the transaction open, after it."""

    before: list[float]
    after: list[float]


walks = otelq.Jobs()
patient = otelq.RetryPolicy(max_attempts=None, initial=0.05, max=0.5)


async def walk(attempt: otelq.Attempt[Walk], step: int) -> None:
    await asyncio.sleep(attempt.input.before[step])
    tx = await attempt.completion()
    await record(attempt, tx)
    await asyncio.sleep(attempt.input.after[step])


@walks.job("first-step", lease=LEASE, retry=patient)
async def first_step(attempt: otelq.Attempt[Walk]) -> otelq.Continue[str]:
    await walk(attempt, 0)
    return attempt.continue_with(second_step, attempt.input)


@walks.job("second-step", lease=LEASE, retry=patient, entry=False)
async def second_step(attempt: otelq.Attempt[Walk]) -> otelq.Continue[str]:
    await walk(attempt, 1)
    return attempt.continue_with(third_step, attempt.input)


@walks.job("third-step", lease=LEASE, retry=patient, entry=False)
async def third_step(attempt: otelq.Attempt[Walk]) -> str:
    await walk(attempt, 2)
    return attempt.chain_id


@walks.job("long-step", lease=LEASE, retry=patient)
async def long_step(attempt: otelq.Attempt[float]) -> int:
    """Lives through several renewals, and says with which attempt it came to its end."""
    attempt.get(Notebook).note("began", attempt.number)
    await asyncio.sleep(attempt.input)
    return attempt.number


# Jobs whose worker is stopped


frozen = otelq.Jobs()
once = otelq.RetryPolicy(max_attempts=5, initial=0)


class Gathering:
    """Lets as many handlers as are to be stopped together go on in one turn of the event loop."""

    def __init__(self) -> None:
        self.waiting: list[asyncio.Future[None]] = []

    async def all_here(self, parties: int) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(future)
        if len(self.waiting) == parties:
            for waiting in self.waiting:
                waiting.set_result(None)
        await future


gathering = Gathering()


async def stand_by(notebook: Notebook, verb: str) -> None:
    """Hold the job, as the worker that took it over, until the stopped one has had its say."""
    notebook.note("took", verb)
    while not (notebook.folder / "finish").exists():  # noqa: ASYNC110  # another process decides
        await asyncio.sleep(0.01)


@dataclass(frozen=True)
class Deed:
    """What the stopped handler does when it goes on, and how many of them go on together."""

    verb: str
    parties: int


@frozen.job("deed", lease=1, retry=once)
async def deed(attempt: otelq.Attempt[Deed]) -> str | otelq.Continue[str]:
    """
    The first attempt gathers with the others, stands still until told, and then does its deed.

    It stands still without giving the event loop a turn, so that it acts before it can be told of its lost lease.
    """
    notebook = attempt.get(Notebook)
    verb = attempt.input.verb
    if attempt.number > 1:
        await stand_by(notebook, verb)
        return f"{verb} by another"
    if verb == "write":
        await record(attempt, await attempt.completion())
    await gathering.all_here(attempt.input.parties)
    notebook.note("stands", verb)
    while not (notebook.folder / "go").exists():
        time.sleep(0.005)  # noqa: ASYNC251  # blocking the loop is the point
    notebook.note("acts", verb, attempt.cancel_reason)
    match verb:
        case "continue":
            return attempt.continue_with(deed, Deed("stolen", 0))
        case "retry":
            raise ConnectionError("the stopped worker's own failure")
        case "fail":
            raise otelq.Fail("the stopped worker's own verdict")
        case _:
            return "by the stopped one"


@frozen.job("dream", lease=1, retry=once)
async def dream(attempt: otelq.Attempt[int]) -> str:
    """The first attempt sleeps until it is cancelled, and writes down why."""
    notebook = attempt.get(Notebook)
    if attempt.number > 1:
        await stand_by(notebook, "dream")
        return "dreamt by another"
    try:
        await gathering.all_here(attempt.input)
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        notebook.note("cancelled", attempt.cancel_reason)
        raise
    return "woke"


# One job that ends its process, among many that do not


crowd = otelq.Jobs()


@crowd.job("poison", lease=1, retry=patient)
async def poison(attempt: otelq.Attempt[None]) -> None:
    attempt.get(Notebook).note("poison", attempt.number)
    os._exit(66)


@crowd.job("neighbour", lease=5, retry=patient)  # long enough for a loaded machine; a dead worker's come back later
async def neighbour(attempt: otelq.Attempt[float]) -> int:
    await asyncio.sleep(attempt.input)
    attempt.get(Notebook).note("ran", attempt.job_id)
    return attempt.number


COLLECTIONS: Final = {"walks": walks, "frozen": frozen, "crowd": crowd}
