"""The builders of transitions refuse every move that is not in the table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product

import pytest

from otelq.model import Claimed, Completes, Lease, NewJob, Settlement, Status, Successor, Transition, Verb
from otelq.transitions import IllegalMove, build, is_legal
from otelq.transitions.build import Snapshot

CHAIN = "0198c0de-0000-7000-8000-000000000000"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
JOB = NewJob(chain_id=CHAIN, type="work", input="1")
LEASED = Claimed(
    lease=Lease(CHAIN, 2, 7),
    type="work",
    queue="default",
    chain_type="work",
    input="1",
    attempt=3,
    crashes=0,
    priority=0,
    due_at=NOW,
    created_at=NOW,
    chain_created_at=NOW,
    claimed_at=NOW,
    leased_until=LATER,
)
ITEM = Settlement(LEASED, Completes("1"), "worker", "00-attempt")


def _seen(status: Status, *, leased_by: str | None = None) -> Snapshot:
    return Snapshot(
        CHAIN, 2, None, "work", "default", "work", status, 3, 0, leased_by, NOW, NOW, "00-job", "00-last", NOW, LATER
    )


def _is_made(make: Callable[[], Transition]) -> bool:
    try:
        make()
    except IllegalMove:
        return False
    return True


@pytest.mark.parametrize("verb", set(Verb))
def test_a_job_that_was_seen_makes_the_legal_moves_alone(verb: Verb) -> None:
    for source, target in product(Status, (*Status, None)):
        assert _is_made(partial(build.moved, _seen(source), verb, target)) is is_legal(verb, source, target)


@pytest.mark.parametrize("verb", set(Verb))
def test_a_job_under_lease_makes_the_legal_moves_alone(verb: Verb) -> None:
    for target in Status:
        is_made = _is_made(partial(build.settled, ITEM, verb, target, at=NOW))

        assert is_made is is_legal(verb, Status.RUNNING, target)


def test_a_chain_starts_by_the_legal_moves_alone() -> None:
    for target in Status:
        is_made = _is_made(partial(build.created, JOB, target, at=NOW, run_at=NOW))

        assert is_made is is_legal(Verb.CREATE, None, target)


def test_a_claim_is_a_legal_move() -> None:
    made = build.claimed(LEASED, worker="worker")

    assert is_legal(made.verb, made.source, made.target)


def test_a_refusal_names_the_job_and_the_move() -> None:
    with pytest.raises(IllegalMove, match=rf"^cancel may not take job {CHAIN}.2 from failed to cancelled$"):
        build.moved(_seen(Status.FAILED), Verb.CANCEL, Status.CANCELLED)


@pytest.mark.parametrize("failed_with", [None, "otelq.blocker_failed"])
def test_all_that_a_wait_makes_is_legal(failed_with: str | None) -> None:
    made = build.blocked(ITEM, at=NOW, is_free=failed_with is None, failed_with=failed_with)

    assert [is_legal(move.verb, move.source, move.target) for move in made] == [True, True]
    assert [(move.attempt, move.worker) for move in made] == [(3, "worker"), (2, None)]
    assert made[1].last_trace == "00-attempt"


def test_a_successor_takes_the_next_position_of_a_chain_that_was_seen_or_leased() -> None:
    successor = Successor(type="next", input="2")
    made = build.continued_externally(_seen(Status.RUNNING, leased_by="one"), successor, at=NOW, run_at=LATER)
    again = build.continued(ITEM, successor, at=NOW, run_at=LATER)

    assert [_place(move) for move in made] == [_place(move) for move in again] == [(2, None), (3, LATER)]
    assert (made[0].worker, made[1].worker) == ("one", None)


def _place(made: Transition) -> tuple[int, datetime | None]:
    return made.position, made.due_at
