"""When worker processes are replaced or started again, and when not, as plain functions."""

from __future__ import annotations

import click
import pytest

from otelq.cli.back_off import CALM, LONGEST, BackOff
from otelq.cli.factories import FactoryRaised
from otelq.cli.memory import resident_memory
from otelq.cli.messages import ProcessFailure, ProcessReport, encode, read_answer
from otelq.cli.supervisor import Limits
from otelq.errors import Forbidden, InvalidArgument, OtelqError


def report(*, ended: int = 0, memory: int = 0) -> ProcessReport:
    return ProcessReport(number=1, live=True, ready=True, problem="", ended=ended, memory=memory)


def test_the_pause_doubles_with_every_round_up_to_the_longest() -> None:
    back_off, now, seconds = BackOff(), 0.0, list[float]()
    for _ in range(12):
        pause = back_off.pause(now)
        seconds.append(pause.seconds)
        now += pause.seconds
    assert seconds[:4] == [0.1, 0.2, 0.4, 0.8]
    assert seconds[-1] == LONGEST


def test_processes_that_end_together_are_one_round() -> None:
    back_off = BackOff()
    assert [back_off.pause(now).is_new for now in (0.0, 0.01, 0.09, 0.1)] == [True, False, False, True]
    assert BackOff().pause(5.0) == (0.1, True)


def test_the_pauses_begin_anew_after_a_calm_time() -> None:
    back_off = BackOff()
    for now in (0.0, 1.0, 2.0):
        back_off.pause(now)
    assert back_off.pause(2.0 + 0.4 + CALM).seconds == 0.8
    assert back_off.pause(2.0 + 0.4 + 0.8 + 2.1 * CALM).seconds == 0.1


@pytest.mark.parametrize(
    "limits, found, reached",
    [
        (Limits(), report(ended=10**6, memory=10**12), None),
        (Limits(jobs=10), report(ended=9), None),
        (Limits(jobs=10), report(ended=10), "it has run 10 attempts"),
        (Limits(memory=200), report(ended=1, memory=199_999_999), None),
        (Limits(memory=200), report(ended=1, memory=200_000_000), "it has 200 MB of memory"),
        (Limits(memory=200), report(ended=0, memory=200_000_000), None),
    ],
)
def test_a_process_is_replaced_at_its_limit(limits: Limits, found: ProcessReport, reached: str | None) -> None:
    assert limits.reached_by(found) == reached
    assert limits.are_set == (limits != Limits())


def test_the_memory_of_a_process_grows_with_what_it_stores() -> None:
    before = resident_memory()
    stored = b"x" * 50_000_000
    assert resident_memory() - before > len(stored) * 0.9


def caused_by(cause: Exception) -> OtelqError:
    error = OtelqError("the worker could not go on")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error, code, is_permanent",
    [
        (click.UsageError("'shop:jobs' is of type object"), 2, True),
        (InvalidArgument("concurrency", "is 0; give a whole number"), 2, True),
        (FactoryRaised("'shop:worker' raised KeyError: 'CACHE'"), 2, False),
        (caused_by(Forbidden("permission denied; run GRANT ...")), 1, True),
        (caused_by(RuntimeError("a bug")), 1, False),
    ],
)
def test_an_error_that_a_new_process_would_meet_too_is_permanent(
    error: Exception, code: int, is_permanent: bool
) -> None:
    failed = read_answer(encode(ProcessFailure.by(error)))
    assert isinstance(failed, ProcessFailure)
    assert (failed.exit_code, failed.is_permanent) == (code, is_permanent)
    assert str(failed.error) == str(error)
