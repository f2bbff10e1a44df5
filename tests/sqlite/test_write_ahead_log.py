"""The look at the log that comes before the question to SQLite."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from otelq.sqlite import write_ahead_log
from otelq.sqlite.write_ahead_log import CERTAIN, FRESH, WriteAheadLog


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(write_ahead_log, "monotonic", clock)
    return clock


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The database; its log is beside it."""
    Path(f"{tmp_path}/jobs.db-wal").write_bytes(b"1")
    return tmp_path / "jobs.db"


def written(file: Path, *, at: float) -> None:
    os.utime(f"{file}-wal", (at, at))


def quiet(file: Path, clock: Clock) -> WriteAheadLog:
    """A log that was looked at, and has not changed for some time."""
    log = WriteAheadLog(file)
    log.has_changed()
    clock.now += FRESH + 0.01
    log.has_changed()
    return log


def test_a_log_that_nobody_writes_to_has_not_changed(file: Path, clock: Clock) -> None:
    assert not quiet(file, clock).has_changed()


def test_a_write_shows_by_the_time_of_the_file(file: Path, clock: Clock) -> None:
    log = quiet(file, clock)
    written(file, at=7.0)
    assert log.has_changed()


def test_it_may_change_again_unseen_for_a_while(file: Path, clock: Clock) -> None:
    log = quiet(file, clock)
    written(file, at=7.0)
    log.has_changed()
    clock.now += FRESH / 2
    assert log.has_changed()
    clock.now += FRESH
    log.has_changed()
    assert not log.has_changed()


def test_nothing_is_missed_for_long(file: Path, clock: Clock) -> None:
    log = quiet(file, clock)
    clock.now += CERTAIN
    assert log.has_changed()


def test_a_log_that_is_removed_or_made_has_changed(file: Path, clock: Clock) -> None:
    log = quiet(file, clock)
    os.remove(f"{file}-wal")
    assert log.has_changed()
