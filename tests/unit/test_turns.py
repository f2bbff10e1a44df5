"""The turns of idle workers: few look for one job, none is forgotten, and a lone worker never waits."""

from __future__ import annotations

import asyncio

import pytest

from otelq.ports.notify import Hint, HintKind
from otelq.worker import turns
from otelq.worker.turns import AT_ONCE, Turns


def due(origin: str, type: str = "mail") -> Hint:
    return Hint(HintKind.DUE, type, origin=origin)


class Fleet:
    """Workers that know of each other, and how often each has looked."""

    def __init__(self, size: int) -> None:
        self.looks = [0] * size
        self.workers = [Turns(f"worker {n}", lambda n=n: self._look(n)) for n in range(size)]  # type: ignore[misc]
        for worker in self.workers:
            worker.fleet = size

    def _look(self, number: int) -> None:
        self.looks[number] += 1

    def take(self, hint: Hint) -> None:
        for worker in self.workers:
            worker.take(hint)


def test_in_a_small_fleet_all_look_at_once() -> None:
    fleet = Fleet(AT_ONCE)

    fleet.take(due("a"))

    assert fleet.looks == [1] * AT_ONCE


def test_a_hint_of_the_own_process_is_followed_at_once() -> None:
    fleet = Fleet(200)

    fleet.take(due(""))

    assert fleet.looks == [1] * 200


async def test_few_of_many_look_and_the_rest_is_spared_by_the_first_that_took_all() -> None:
    fleet = Fleet(200)
    fleet.take(due("a"))
    first = next(n for n, looks in enumerate(fleet.looks) if looks)

    fleet.workers[first].begin_look()
    taken = list(fleet.workers[first].end_look(has_claimed=True, is_exhausted=True))
    for worker in fleet.workers:
        for hint in taken:
            worker.give_up(hint.subject)
    await asyncio.sleep(turns.LONGEST_TURN)

    assert 1 <= sum(fleet.looks) <= 4 * AT_ONCE


async def test_without_that_message_all_look_in_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "STEP", 0.0001)
    fleet = Fleet(50)

    fleet.take(due("a"))

    async with asyncio.timeout(10):
        while fleet.looks != [1] * 50:  # noqa: ASYNC110  # turns have no event
            await asyncio.sleep(0.001)


async def test_a_job_that_came_later_is_not_spared() -> None:
    fleet = Fleet(200)
    fleet.take(due("a"))
    fleet.take(due("b"))
    fleet.take(due("a", "bill"))
    before = sum(fleet.looks)

    for worker in fleet.workers:
        worker.give_up("a/mail")
    waiting = sum(len(worker._waiting) for worker in fleet.workers)

    assert before + waiting > 2 * 200 - 4 * AT_ONCE  # those who wait for b, and for the other type of a
    for worker in fleet.workers:
        worker.close()


def test_only_a_worker_that_claimed_all_says_so() -> None:
    worker = Turns("worker", lambda: None)
    worker.fleet = 5
    key = next(origin for origin in map(str, range(1000)) if worker._wait(f"{origin}/mail") == 0)
    for has_claimed, is_exhausted, count in ((False, True, 0), (True, False, 0), (True, True, 1)):
        worker.take(due(key))
        worker.begin_look()

        assert len(worker.end_look(has_claimed=has_claimed, is_exhausted=is_exhausted)) == count


def test_a_hint_that_comes_during_a_look_spares_nobody() -> None:
    worker = Turns("worker", lambda: None)
    worker.fleet = 5
    key = next(origin for origin in map(str, range(1000)) if worker._wait(f"{origin}/mail") == 0)
    worker.begin_look()
    worker.take(due(key))

    assert not worker.end_look(has_claimed=True, is_exhausted=True)

    worker.begin_look()
    assert len(worker.end_look(has_claimed=True, is_exhausted=True)) == 1
