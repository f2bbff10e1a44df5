"""A wrong wall clock is wrong for all who ask it, and hints meet the misfortune that they are told to meet."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from otelq.inprocess.notify import InProcessNotify
from otelq.ports.notify import Hint, HintKind
from otelq_verify.torture.faults import clock
from otelq_verify.torture.faults.hints import Unreliability, UnreliableNotify

ROOT = Path(__file__).parents[2]
HINTS = [Hint(HintKind.CLOSED, str(number)) for number in range(100)]
SEED = 7


@pytest.mark.parametrize("spec, ahead", [("7200", 7200), ("-172800", -172800), ("180@0", 180), ("7200@9999", 0)])
def test_a_process_has_the_clock_that_it_is_given(spec: str, ahead: int) -> None:
    command = [sys.executable, clock.__file__, spec, "tests.torture.print_time"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert len(told) == 6
    for moment in told:
        assert float(moment) - time.time() == pytest.approx(ahead, abs=50)


async def delivered(kind: Unreliability, *, seconds: float) -> tuple[list[Hint], int]:
    """What arrives of a hundred hints within some seconds, and how many are said to have met a misfortune."""
    got: list[Hint] = []
    notify = UnreliableNotify(InProcessNotify(), kind, seed=SEED)
    await notify.open()
    notify.subscribe(got.append)
    notify.publish(HINTS)
    await asyncio.sleep(seconds)
    await notify.close()
    return got, notify.met


async def test_hints_are_lost() -> None:
    got, met = await delivered("lost", seconds=0.01)
    assert 40 < met < 95
    assert len(got) == 100 - met


async def test_hints_are_doubled() -> None:
    got, met = await delivered("doubled", seconds=0.01)
    assert Counter(Counter(hint.subject for hint in got).values()) == {1: 100 - met, 2: met}


async def test_hints_are_late() -> None:
    got, met = await delivered("late", seconds=0.01)
    assert 100 - met <= len(got) < 100
    assert len((await delivered("late", seconds=2.2))[0]) == 100


async def test_hints_come_in_another_order() -> None:
    got, _ = await delivered("reordered", seconds=0.2)
    assert got != HINTS
    assert Counter(hint.subject for hint in got) == Counter(hint.subject for hint in HINTS)
