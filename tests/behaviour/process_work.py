"""Handlers that run in processes of their own; a module, so that those can import them."""

from __future__ import annotations

import contextvars
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import otelq

from .support import AT_ONCE, ONCE

jobs = otelq.Jobs()


@dataclass(frozen=True)
class Range:
    first: int
    last: int


class Unwell(Exception):
    """Raised here, and known to the worker by its name only."""


@jobs.job("sum-up", executor="process")
def sum_up(attempt: otelq.Attempt[Range]) -> int:
    return sum(range(attempt.input.first, attempt.input.last))


@jobs.job("process-id", executor="process")
def process_id(attempt: otelq.Attempt[None]) -> int:
    return os.getpid()


@jobs.job("tells", executor="process", timeout=50)
def tells(attempt: otelq.Attempt[str]) -> dict[str, Any]:
    print("what a handler prints does not get in between")  # noqa: T201  # it says why
    return {
        "input": attempt.input,
        "type": attempt.type,
        "number": attempt.number,
        "chain": attempt.chain_id,
        "job": attempt.job_id,
        "token": attempt.token > 0,
        "tags": dict(attempt.tags),
        "sums": list(attempt.blockers(sum_up)),
        "time_left": 0 < (attempt.time_left or 0) <= 50,
        "stopping": attempt.stopping.is_set(),
    }


@jobs.job("adds", aliases=["sums"], executor="process")
def adds(attempt: otelq.Attempt[str]) -> tuple[str, list[str]]:
    return attempt.type, [f"{type} after {outputs}" for type, outputs in attempt.blockers(adds)]


@jobs.job("misses", executor="process")
def misses(attempt: otelq.Attempt[None]) -> list[str]:
    said = list[str]()
    for ask in (
        lambda: attempt.client,
        lambda: attempt.get(Path),
        lambda: attempt.transaction(),
        lambda: attempt.completion(),
        lambda: attempt.provide(1),
    ):
        try:
            ask()
        except otelq.InvalidArgument as error:
            said.append(str(error))
    return said


@jobs.job("continues", executor="process")
def continues(attempt: otelq.Attempt[int]) -> otelq.Continue[int]:
    return attempt.continue_with(sum_up, Range(0, attempt.input))


elsewhere = otelq.JobType("elsewhere", input=Range, output=int, queue="other")


@jobs.job("goes-elsewhere", executor="process")
def goes_elsewhere(attempt: otelq.Attempt[None]) -> otelq.Continue[int]:
    return otelq.Continue(elsewhere, Range(1, 2), priority=-3, delay=3600)


@jobs.job("decides", executor="process", retry=AT_ONCE)
def decides(attempt: otelq.Attempt[str]) -> str:
    marker = Path(attempt.input.partition(":")[2])
    if marker.exists():
        return f"again, attempt {attempt.number}"
    marker.touch()
    match attempt.input.partition(":")[0]:
        case "snooze":
            raise otelq.Snooze(0)
        case "retry-after":
            raise otelq.RetryAfter(0) from Unwell("feverish")
        case "group":
            raise ExceptionGroup("tasks", [otelq.Snooze(0)])
        case _:
            raise otelq.Fail("not this one")


@jobs.job(
    "falls-ill",
    executor="process",
    retry=otelq.RetryPolicy(initial=0, rules={Unwell: otelq.RetryPolicy(max_attempts=2, initial=0)}),
)
def falls_ill(attempt: otelq.Attempt[None]) -> None:
    raise Unwell(f"attempt {attempt.number}")


@jobs.job("lies", executor="process", retry=ONCE)
def lies(attempt: otelq.Attempt[None]) -> int:
    return cast(int, object())


@jobs.job("dies", executor="process", retry=AT_ONCE)
def dies(attempt: otelq.Attempt[str]) -> None:
    if attempt.input == "signal":
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(7)


@jobs.job("endless", executor="process", timeout=None, retry=AT_ONCE)
def endless(attempt: otelq.Attempt[str]) -> None:
    tell_pids(attempt.input)
    while True:
        pass


@jobs.job("overdue", executor="process", timeout=1, retry=ONCE)
def overdue(attempt: otelq.Attempt[str]) -> None:
    tell_pids(attempt.input)
    while True:
        pass


def tell_pids(file: str) -> None:
    """Write down who we are, and a process that we started."""
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdin=subprocess.DEVNULL)
    part = Path(file + ".part")
    part.write_text(f"{os.getpid()} {helper.pid}")
    part.rename(file)


@jobs.job("reaches-a-good-place", executor="process", timeout=30, soft_timeout=0.2)
def reaches_a_good_place(attempt: otelq.Attempt[None]) -> str:
    while not attempt.stopping.is_set():
        time.sleep(0.005)
    return f"{attempt.stop_reason} with time left: {(attempt.time_left or 0) > 1}"


@jobs.job("is-told-to-stop", executor="process")
def is_told_to_stop(attempt: otelq.Attempt[str]) -> str:
    Path(attempt.input).touch()
    while not attempt.stopping.is_set():
        time.sleep(0.005)
    return str(attempt.stop_reason)


@jobs.job("waits", executor="process", retry=ONCE)
def waits(attempt: otelq.Attempt[str]) -> int:
    if not attempt.blockers(sum_up):
        raise otelq.WaitFor(otelq.Chain(attempt.input, sum_up))
    return sum(attempt.blockers(sum_up))


said_before = contextvars.ContextVar("said_before", default="")


@jobs.job("remembers", executor="process")
def remembers(attempt: otelq.Attempt[str]) -> str:
    before = said_before.get()
    said_before.set(attempt.input)
    return before


@jobs.job("forks", executor="process", retry=ONCE)
def forks(attempt: otelq.Attempt[str]) -> str:
    """The fork ends with what is left of this program: it exits, raises, or returns from the handler."""
    fork = os.fork()
    if fork:
        return f"{attempt.input}: {os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1])}"
    match attempt.input:
        case "exits":
            sys.exit(3)
        case "raises":
            raise Unwell
        case _:
            return "said by the fork"


@jobs.job("ends-its-fork", executor="process", retry=ONCE)
def ends_its_fork(attempt: otelq.Attempt[None]) -> int | None:
    context = multiprocessing.get_context("fork")
    began = context.Event()
    helper = context.Process(target=tells_and_sleeps, args=(began,))
    helper.start()
    began.wait(10)
    helper.terminate()
    helper.join(10)
    return helper.exitcode


def tells_and_sleeps(began: Any) -> None:
    began.set()
    time.sleep(600)


@jobs.job("dies-beside-its-fork", executor="process", retry=ONCE)
def dies_beside_its_fork(attempt: otelq.Attempt[None]) -> None:
    if os.fork() == 0:
        time.sleep(600)
    os._exit(7)


@jobs.job("leaves-a-fork", executor="process", retry=ONCE)
def leaves_a_fork(attempt: otelq.Attempt[None]) -> int:
    if (fork := os.fork()) == 0:
        os.setsid()
        time.sleep(600)
    return fork


@jobs.job("closes-its-output", executor="process", retry=ONCE)
def closes_its_output(attempt: otelq.Attempt[None]) -> int:
    sys.stdout.close()
    return os.getpid()


@jobs.job("shouts", executor="process", retry=ONCE)
def shouts(attempt: otelq.Attempt[str]) -> None:
    error = otelq.Fail if attempt.input == "fail" else ValueError
    raise error("x" * 5_000_000)


@jobs.job("shouts-in-a-thread", retry=ONCE)
def shouts_in_a_thread(attempt: otelq.Attempt[str]) -> None:
    shouts.handler(attempt)  # type: ignore[misc]  # it is one
