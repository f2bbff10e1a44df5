"""How long a payload that does not decode is tried again, from the attempts on record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from otelq.model import AttemptRecord, Fails, Failure, Snoozes, Verb
from otelq.worker.undecodable import UNDECODABLE, outcome_of_undecodable

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
FAILURE = Failure(UNDECODABLE, "does not fit")
OTHER = Failure("KeyError", "no such key")
LIMIT = 600.0


def ended(ago: float, verb: Verb = Verb.SNOOZE, failure: Failure | None = FAILURE, **more: Any) -> AttemptRecord:
    """An attempt that ended so many seconds ago; by default one that did not decode its input."""
    values: dict[str, Any] = {"chain_id": "c", "position": 0, "number": 1, "token": 1, "worker": "w"}
    at = NOW - timedelta(seconds=ago)
    return AttemptRecord(**values, verb=verb, started_at=at, ended_at=at, failure=failure, **more)


def decide(*attempts: AttemptRecord, limit: float = LIMIT, random: float = 1.0) -> Snoozes | Fails:
    return outcome_of_undecodable(FAILURE, attempts, now=NOW, limit=limit, random_fraction=random)


def test_the_first_try_is_followed_by_another_with_the_failure_on_record() -> None:
    assert decide() == Snoozes(5.0, FAILURE)


def test_the_pauses_double_up_to_a_minute_and_a_quarter_is_random() -> None:
    tries = [ended(500.0 - n) for n in range(8)]
    assert [decide(*tries[:n], limit=10_000.0) for n in range(8)] == [
        Snoozes(pause, FAILURE) for pause in (5.0, 10.0, 20.0, 40.0, 60.0, 60.0, 60.0, 60.0)
    ]
    assert decide(random=0.0) == Snoozes(3.75, FAILURE)


def test_the_last_pause_ends_with_the_limit() -> None:
    assert decide(ended(590), ended(300), ended(60)) == Snoozes(10.0, FAILURE)


@pytest.mark.parametrize("ago", [600.0, 601.0, 86_400.0])
def test_it_fails_when_the_limit_is_over_since_the_first_try(ago: float) -> None:
    assert decide(ended(ago), ended(5)) == Fails(FAILURE)


def test_without_a_limit_it_fails_at_once() -> None:
    assert decide(limit=0.0) == Fails(FAILURE)


@pytest.mark.parametrize(
    "between",
    [
        ended(300, Verb.SNOOZE, None),
        ended(300, Verb.SNOOZE, OTHER),
        ended(300, Verb.RETRY, OTHER),
        ended(300, Verb.BLOCK, None),
        ended(300, Verb.FAIL, FAILURE, generation=1),
        ended(300, Verb.SNOOZE, FAILURE, generation=1),
    ],
    ids=["snoozed", "snoozed with an error", "retried", "waited", "redriven", "redriven after a snooze"],
)
def test_time_counts_since_the_payload_was_last_decoded(between: AttemptRecord) -> None:
    assert decide(ended(5_000, generation=between.generation), between) == Snoozes(5.0, FAILURE)
    assert decide(ended(5_000, generation=between.generation), between, ended(100)) == Snoozes(10.0, FAILURE)


@pytest.mark.parametrize("verb", [Verb.RELEASE, Verb.REAP, Verb.TAKE_OVER])
def test_an_attempt_that_ended_without_its_handler_says_nothing(verb: Verb) -> None:
    assert decide(ended(700), ended(300, verb, None)) == Fails(FAILURE)
    assert decide(ended(300, verb, None)) == Snoozes(5.0, FAILURE)


def test_an_attempt_that_was_spent_on_it_counts_too() -> None:
    assert decide(ended(700), ended(50, Verb.RETRY, FAILURE)) == Fails(FAILURE)
