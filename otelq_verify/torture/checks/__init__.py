"""
The history checker: it finds what contradicts the invariants in the history of a run.

Each check is a pure function over the replayed history; its first line is the rule. Not checked here: I10 for telemetry
(``otelq_verify.audit.telemetry``); I14, and I6 for pauses and limits, which are not built yet. The checks of the tables
themselves (``otelq_verify.invariants``) run apart, on the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from ...audit import Change
from ...invariants import Violation
from . import attempts, blockers, chains, claims, keys, leases, outcomes
from .facts import Facts
from .replay import History, found

__all__ = ["CHECKS", "Facts", "check"]

Check: TypeAlias = Callable[[History, Facts], Iterator[Violation]]


def rows_that_fit(history: History, facts: Facts) -> Iterator[Violation]:
    """Check that every change of a hot row is a move, and that the verb written beside it fits."""
    for oddity in history.reading.oddities:
        yield found(oddity.invariant, "rows that fit", (oddity.chain_id, oddity.position), oddity.detail)


CHECKS: Final[Sequence[Check]] = (
    rows_that_fit,
    leases.one_lease,
    leases.no_start_without_a_claim,
    leases.renewals_in_bounds,
    leases.reaped_when_lost,
    outcomes.one_after_the_other,
    outcomes.outcomes_unchanged,
    outcomes.effects_with_completions,
    chains.one_open_job,
    chains.successors_from_one_commit,
    chains.committed_starts_exist,
    chains.none_lost,
    claims.only_what_is_due,
    claims.best_first,
    blockers.not_before_the_rule,
    blockers.released_in_time,
    attempts.attempts_and_crashes,
    keys.one_holder,
    keys.keys_are_taken,
)


def check(changes: Sequence[Change], facts: Facts) -> list[Violation]:
    """
    Return what in a history contradicts the invariants; an empty list if nothing does.

    Args:
        changes: all that the audit recorded, from an empty schema on, with the handlers' own table.
        facts: what is known besides.
    """
    history = History(changes)
    return sorted({violation for one in CHECKS for violation in one(history, facts)})
