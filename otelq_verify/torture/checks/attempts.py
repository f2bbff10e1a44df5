"""I8: attempts are claims, but for those that were given back; crashes are counted apart."""

from __future__ import annotations

from collections.abc import Iterator

from otelq.model import Verb

from ...invariants import Violation
from .facts import Facts
from .replay import History, found

_GIVEN_BACK = (Verb.RELEASE, Verb.SNOOZE, Verb.BLOCK)


def attempts_and_crashes(history: History, facts: Facts) -> Iterator[Violation]:
    """I8: when a job closes, its outcome has the attempts and crashes that were counted in this generation."""
    recorded = {
        change.seq: (change.row["attempt"], change.row["crashes"])
        for change in history.of("outcome")
        if change.op == "INSERT"
    }
    counted = {job: list(_counted(history, job)) for job in history.by_job}
    for change in history.of("outcome"):
        if change.op != "INSERT":
            continue
        job = str(change.chain_id), change.row["position"]
        expected = counted.get(job, [])
        here = expected.pop(0) if expected else (0, 0)
        if recorded[change.seq] != here:
            yield found("I8", "attempts and crashes", job, f"it has {recorded[change.seq]}, counted were {here}")


def _counted(history: History, job: tuple[str, int]) -> Iterator[tuple[int, int]]:
    """Yield attempts and crashes at each closing of a job."""
    attempts = crashes = 0
    for move in history.by_job[job]:
        attempts += (move.verb is Verb.CLAIM) - (move.verb in _GIVEN_BACK)
        crashes += move.verb is Verb.REAP
        if move.verb in (Verb.CREATE, Verb.REDRIVE):
            attempts = crashes = 0
        elif move.target is not None and not move.target.is_open:
            yield attempts, crashes
