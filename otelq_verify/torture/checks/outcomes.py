"""I3 and I13: closed jobs stay closed, and the effect of a handler is stored with its completion or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from otelq.model import CLOSED, Status, Verb

from ...audit import Change
from ...invariants import Violation
from ..tables import HISTORY
from .facts import Facts
from .replay import History, found

_IN_LINE = frozenset({Status.SCHEDULED, Status.READY})


def one_after_the_other(history: History, facts: Facts) -> Iterator[Violation]:
    """I3: a move begins where the one before it ended; from a closed status only a redrive or a deletion leads on."""
    for job, moves in history.by_job.items():
        standing: Status | None = None
        for move in moves:
            if move.source != standing and not {move.source, standing} <= _IN_LINE:
                yield found(
                    "I3", "one after the other", job, f"{move.verb} from {move.source}, where it was {standing}"
                )
            if standing in CLOSED and move.verb not in (Verb.REDRIVE, Verb.DELETE):
                yield found("I3", "closed stays closed", job, f"{move.verb} after it was {standing}")
            standing = move.target


def outcomes_unchanged(history: History, facts: Facts) -> Iterator[Violation]:
    """I3: an outcome is written once in a generation; later only its generation changes, or it goes with its job."""
    standing: set[tuple[str, int]] = set()
    gone = {(change.chain_id, change.position) for change in history.of("job") if change.op == "DELETE"}
    for change in history.of("outcome"):
        job = str(change.chain_id), change.row["position"]
        if change.op == "INSERT":
            if job in standing:
                yield found("I3", "outcomes unchanged", job, "an outcome was written where there was one")
            standing.add(job)
            continue
        standing.discard(job)
        changed = {name for name, value in change.row.items() if (change.old or {}).get(name) != value}
        if change.op == "UPDATE" and not changed <= {"generation", "redriven_at"}:
            yield found("I3", "outcomes unchanged", job, f"its outcome was changed: {', '.join(sorted(changed))}")
        if change.op == "DELETE" and job not in gone:
            yield found("I3", "outcomes unchanged", job, "its outcome vanished")


def effects_with_completions(history: History, facts: Facts) -> Iterator[Violation]:
    """I13 and I2: an effect is there if and only if its attempt closed the job, once, from the same commit."""
    effects = [change for change in history.of(HISTORY) if change.new is not None and change.row["kind"] == "effect"]
    closings = _closings(history)
    number = Counter(map(_key, effects))
    for effect in effects:
        job, closing = (effect.row["chain_id"], effect.row["position"]), closings.get(_key(effect))
        if closing is None:
            yield found("I13", "effects of closings", job, f"an effect of {effect.row['token']}, which closed nothing")
        elif closing.tx != effect.tx:
            yield found("I13", "effects of closings", job, "its effect and its end are not from one commit")
    for (chain_id, position, token), times in number.items():
        if times > 1:
            yield found("I13", "effects of closings", (chain_id, position), f"{times} effects of {token}")
    types = {closings[key].row["type"] for key in number if key in closings}
    for key, closing in closings.items():
        if closing.row["type"] in types and key not in number:
            yield found("I13", "closings with effects", key[:2], f"{key[2]} closed it without its effect")


def _closings(history: History) -> Mapping[tuple[str, int, int], Change]:
    """Return the outcomes of workers that completed or continued, by job and token."""
    return {
        _key(change): change
        for change in history.of("outcome")
        if change.op == "INSERT" and change.row["verb"] in (Verb.COMPLETE, Verb.CONTINUE)
    }


def _key(change: Change) -> tuple[str, int, int]:
    return change.row["chain_id"], change.row["position"], change.row["token"]
