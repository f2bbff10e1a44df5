"""The table of legal moves, against a table written by hand from the list of transitions."""

from __future__ import annotations

from itertools import product

import pytest

from otelq.model import Status, Verb
from otelq.transitions import MOVES, closes_chain, closes_job, is_legal

NOTHING = "-"
WORDS = [NOTHING, *Status]

# verb: from > to, where a list of words on either side means each of them.
TABLE = """
create               - > blocked scheduled ready
unblock              blocked > scheduled ready
claim                ready > running
renew                running > running
complete             running > completed
continue             running > continued
retry                running > scheduled ready
snooze               running > scheduled ready
block                running > blocked
fail                 running > failed
fail_by_blocker      blocked > failed
release              running > ready
reap                 running > scheduled ready failed
take_over            running > ready
cancel               blocked scheduled ready running > cancelled
expire               blocked scheduled ready > cancelled
complete_externally  blocked scheduled ready running > completed continued
trigger              scheduled > ready
amend                blocked > blocked
amend                scheduled ready > scheduled ready
redrive              failed cancelled > ready blocked
delete               blocked scheduled ready running completed continued failed cancelled > -
"""


def _rows() -> set[tuple[str, str, str]]:
    rows: set[tuple[str, str, str]] = set()
    for line in TABLE.strip().splitlines():
        verb, moves = line.split(maxsplit=1)
        sources, targets = (side.split() for side in moves.split(">"))
        rows |= {(verb, source, target) for source, target in product(sources, targets)}
    return rows


ROWS = _rows()


def _status(word: str) -> Status | None:
    return None if word == NOTHING else Status(word)


@pytest.mark.parametrize("verb", Verb)
def test_a_verb_makes_the_moves_of_the_table_and_no_others(verb: Verb) -> None:
    for source, target in product(WORDS, WORDS):
        expected = (verb.value, source, target) in ROWS

        assert is_legal(verb, _status(source), _status(target)) is expected, f"{source} > {target}"


def test_every_verb_has_moves() -> None:
    assert set(MOVES) == set(Verb)
    assert {verb for verb, _, _ in ROWS} == {verb.value for verb in Verb}


def test_no_move_leaves_a_closed_status_but_redrive_and_delete() -> None:
    closed = {"completed", "continued", "failed", "cancelled"}

    assert {verb for verb, source, _ in ROWS if source in closed} == {"redrive", "delete"}


@pytest.mark.parametrize("verb", set(Verb) - {Verb.DELETE})
@pytest.mark.parametrize(
    "target, job, chain",
    [
        (Status.COMPLETED, True, True),
        (Status.CONTINUED, True, False),
        (Status.FAILED, True, True),
        (Status.CANCELLED, True, True),
        (Status.RUNNING, False, False),
        (Status.READY, False, False),
    ],
)
def test_a_move_closes_what_its_target_says(verb: Verb, target: Status, job: bool, chain: bool) -> None:
    assert (closes_job(verb, target), closes_chain(verb, target)) == (job, chain)


def test_a_delete_closes_nothing() -> None:
    assert not closes_job(Verb.DELETE, None)
    assert not closes_chain(Verb.DELETE, None)
