"""A process that is killed leaves its last moments untold, and tells nothing that was not committed."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import otelq
from otelq.testing.otlp import OtlpReceiver
from otelq_verify.audit import AuditedMove, changes, install, read
from otelq_verify.audit.telemetry import (
    CountedMove,
    SpannedMove,
    difference,
    expected_counts,
    expected_spans,
    reported_otlp_counts,
    reported_otlp_spans,
)

from .traced_process import CONCURRENCY

ROOT = Path(__file__).parents[2]
EXPORTS = 15
COUNTED_WITHIN = timedelta(seconds=0.5)
"""How long a busy process may take from a statement to its being counted."""
IN_FLIGHT = 4 * CONCURRENCY + 4
"""Moves of one process that may be committed and not yet in a finished span: a claim, an end, and a successor with its
claim for each slot, and those of two starts."""


@dataclass(frozen=True)
class Told:
    """What one process told before it was killed."""

    begun: datetime
    counted_until: datetime
    said: Counter[CountedMove]
    spoken: Counter[SpannedMove]


def told_until_killed(url: str) -> Told:
    """Let a process work and report for a while, and kill it."""
    begun = datetime.now(UTC)
    with OtlpReceiver() as receiver:
        with reporting(url, receiver):
            receiver.wait_until(lambda: len(list(receiver.metric_scopes())) > EXPORTS, timeout=60)
        return Told(
            begun,
            _exported_at(receiver),
            reported_otlp_counts(receiver.metrics()),
            reported_otlp_spans(receiver.spans()),
        )


@contextmanager
def reporting(url: str, receiver: OtlpReceiver) -> Generator[None]:
    """A process that is killed at the end."""
    command = [sys.executable, "-m", "tests.audit.traced_process", url, receiver.http_endpoint]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _exported_at(receiver: OtlpReceiver) -> datetime:
    """When the counters were read for the last export."""
    points = receiver.metrics()["otelq.job.transitions"].sum.data_points
    return datetime.fromtimestamp(max(point.time_unix_nano for point in points) / 1e9, UTC)


@pytest.mark.timeout(150)
async def test_a_killed_process_has_told_what_was_committed_but_for_its_last_moments(audited_url: str) -> None:
    async with otelq.connect(audited_url) as auditor:
        await install(auditor)
        told = [told_until_killed(audited_url) for _ in range(2)]  # the second reaps what the first one held
        made = read(await changes(auditor))
    assert made.oddities == []
    said = sum((one.said for one in told), Counter[CountedMove]())
    assert not said - expected_counts(made.moves), difference(said, expected_counts(made.moves))
    spoken = sum((one.spoken for one in told), Counter[SpannedMove]())
    assert not spoken - expected_spans(made.moves), difference(spoken, expected_spans(made.moves))
    untold = expected_spans(made.moves) - spoken
    assert untold.total() <= len(told) * IN_FLIGHT, difference(spoken, expected_spans(made.moves))
    for one in told:
        _misses_nothing_but_the_end(one, made.moves)


def _misses_nothing_but_the_end(told: Told, moves: Sequence[AuditedMove]) -> None:
    """What happened well before the last export is in it."""
    old = [move for move in moves if told.begun <= move.at < told.counted_until - COUNTED_WITHIN]
    assert len(old) > EXPORTS
    assert not expected_counts(old) - told.said, difference(told.said, expected_counts(old))
