"""Times as callers give them: turned into UTC at the border, on every way in, or refused there."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from fractions import Fraction
from typing import Any, cast

import pytest

import otelq

from .support import ONCE, becomes, count, ended

jobs = otelq.Jobs()


@jobs.job("note", retry=ONCE)
async def note(attempt: otelq.Attempt[str]) -> str:
    return attempt.input


@jobs.job("hand over", retry=ONCE)
async def hand_over(attempt: otelq.Attempt[int]) -> str:
    return attempt.continue_with(note, "late", at=datetime.now(UTC) + timedelta(days=attempt.input))  # type: ignore[return-value]  # as of the type checkers of users


class Night(tzinfo):
    """A zone in the night in which summer time ends: the hour comes twice, told apart by ``fold``."""

    def utcoffset(self, dt: datetime | None, /) -> timedelta:
        return timedelta(hours=1 if dt is not None and dt.fold else 2)

    def dst(self, dt: datetime | None, /) -> timedelta:
        return timedelta(hours=0 if dt is not None and dt.fold else 1)

    def tzname(self, dt: datetime | None, /) -> str:
        return "night"


class Broken(tzinfo):
    """A zone that answers as it was told."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self._answer = answer

    def utcoffset(self, dt: datetime | None, /) -> timedelta | None:
        return cast("timedelta | None", self._answer())

    def dst(self, dt: datetime | None, /) -> None:
        return None

    def tzname(self, dt: datetime | None, /) -> str:
        return "broken"


def _raise() -> None:
    raise RuntimeError("this zone is broken")


FAR = datetime.max.replace(tzinfo=UTC)
SOON = datetime(2030, 1, 1)
BAD_TIMES = {
    "the end of time": FAR,
    "eleven years ahead": datetime.now(UTC) + timedelta(days=11 * 366),
    "after the end of time": datetime.max.replace(tzinfo=timezone(timedelta(hours=-5))),
    "before its beginning": datetime.min.replace(tzinfo=timezone(timedelta(hours=5))),
    "a zone that raises": SOON.replace(tzinfo=Broken(_raise)),
    "a zone that knows nothing": SOON.replace(tzinfo=Broken(lambda: None)),
    "a zone that gives text": SOON.replace(tzinfo=Broken(lambda: "+01:00")),
    "a zone that is days off": SOON.replace(tzinfo=Broken(lambda: timedelta(days=3))),
}
BAD_SECONDS = {
    "NaN": math.nan,
    "infinite": -math.inf,
    "negative": -0.001,
    "a length of time": timedelta(seconds=5),
    "a fraction": Fraction(1, 2),
    "beyond a double": 10**400,
    "beyond a text": 10**5000,
}


def second_pass(minutes: float) -> datetime:
    """A local time in the second pass of the hour, so many minutes from now."""
    return _local(minutes + 60, fold=1)


def first_pass(minutes: float) -> datetime:
    """A local time in the first pass of the hour, so many minutes from now."""
    return _local(minutes + 120, fold=0)


def _local(ahead: float, *, fold: int) -> datetime:
    wall = datetime.now(UTC).replace(tzinfo=None) + timedelta(minutes=ahead)
    return wall.replace(tzinfo=Night(), fold=fold)


async def test_in_the_hour_that_comes_twice_the_instant_counts(client: otelq.Client) -> None:
    late = await client.start(note, "second pass", at=second_pass(50))
    soon = await client.start(note, "first pass", at=first_pass(0.005))
    async with otelq.Worker(client, jobs, poll_interval=0.1):
        assert await client.result(soon, timeout=10) == "first pass"
        tail = await becomes(client, late, "scheduled")
    assert tail.run_at is not None
    assert timedelta(minutes=40) < tail.run_at - datetime.now(UTC) < timedelta(minutes=51)


async def test_an_amended_time_counts_as_an_instant_too(client: otelq.Client) -> None:
    chain = await client.start(note, "x", delay=7200)
    await client.amend(chain, at=second_pass(0) - timedelta(seconds=1))
    async with otelq.Worker(client, jobs, poll_interval=0.1):
        assert await client.result(chain, timeout=10) == "x"


@pytest.mark.parametrize("start", [otelq.Start, otelq.Continue])
def test_a_time_is_kept_in_utc_as_a_plain_datetime(start: Any) -> None:
    class Moment(datetime):
        """A subclass, as libraries for dates have one."""

    given = Moment(2030, 6, 1, 12, 0, 1, 5, tzinfo=Night(), fold=1)
    kept = start(note, "x", at=given).at
    assert (type(kept), kept.tzinfo, kept.fold) == (datetime, UTC, 0)
    assert kept == datetime(2030, 6, 1, 11, 0, 1, 5, tzinfo=UTC)


@pytest.mark.parametrize("at", BAD_TIMES.values(), ids=BAD_TIMES)
async def test_a_time_that_cannot_be_meant_is_refused_before_anything_is_written(
    client: otelq.Client, at: datetime
) -> None:
    chain = await client.start(note, "x", delay=60)
    ways: list[Callable[[], Any]] = [
        lambda: client.start(note, "x", at=at),
        lambda: client.start_many([otelq.Start(note, "x", at=at)]),
        lambda: client.copy(chain, at=at),
        lambda: client.amend(chain, at=at),
        lambda: client.complete(chain, otelq.Continue(note, "x", at=at), step=note),
    ]
    for way in ways:
        with pytest.raises(otelq.InvalidArgument) as refused:
            await way()
        assert refused.value.argument == "at"
    assert await count(client) == 1
    assert (await client.chain(chain)).tail.status == "scheduled"


async def test_a_continuation_beyond_ten_years_fails_its_attempt(client: otelq.Client) -> None:
    async with otelq.Worker(client, jobs):
        chain = await client.start(hand_over, 11 * 366)
        job = await ended(client, chain)
    assert job.failure is not None
    assert job.failure.type == "otelq.errors.InvalidArgument"
    assert "within the next ten years" in job.failure.text


@pytest.mark.parametrize("seconds", BAD_SECONDS.values(), ids=BAD_SECONDS)
def test_seconds_that_cannot_be_meant_are_refused(seconds: Any) -> None:
    ways: list[Callable[[], Any]] = [
        lambda: otelq.Start(note, "x", delay=seconds),
        lambda: otelq.Start(note, "x", expires=seconds),
        lambda: otelq.Continue(note, "x", delay=seconds),
        lambda: otelq.Snooze(seconds),
        lambda: otelq.RetryAfter(seconds),
    ]
    for way in ways:
        with pytest.raises(otelq.InvalidArgument, match="seconds"):
            way()


async def test_a_time_long_past_means_now(client: otelq.Client) -> None:
    chain = await client.start(note, "x", at=datetime.min.replace(tzinfo=UTC))
    async with otelq.Worker(client, jobs):
        assert await client.result(chain, timeout=10) == "x"


@pytest.mark.parametrize("filter", ["since", "until"])
async def test_a_filter_refuses_a_zone_that_raises(client: otelq.Client, filter: str) -> None:
    with pytest.raises(otelq.InvalidArgument, match=filter):
        await client.jobs(**cast(Any, {filter: SOON.replace(tzinfo=Broken(_raise))}))
