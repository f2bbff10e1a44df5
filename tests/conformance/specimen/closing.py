"""Chains that are closed or removed by request, whatever worker may hold them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from otelq.errors import NotFound, StillReferenced
from otelq.model import Closure, Completes, Continues, Status, Verb

from . import ending, keys, moving, settling
from .statement import Statement


def complete_externally(db: Statement, closure: Closure) -> None:
    """Close an open job from outside; a running worker is fenced off."""
    row = moving.open_step(db, closure.chain_id, step=closure.step)
    mark = len(db.made)
    match closure.outcome:
        case Completes(output):
            ending.close(
                db, row, verb=Verb.COMPLETE_EXTERNALLY, status=Status.COMPLETED, output=output, worker=row.leased_by
            )
        case Continues(successor):
            settling.go_on(db, row, verb=Verb.COMPLETE_EXTERNALLY, successor=successor, worker=row.leased_by)
    if row.token is not None:
        ending.end_attempt(db, row, ending=db.made[mark])


def cancel(db: Statement, chain_id: str) -> None:
    """Close an open chain as cancelled; a running worker is fenced off."""
    row = moving.open_job(db, chain_id)
    ending.close(db, row, verb=Verb.CANCEL, status=Status.CANCELLED, worker=row.leased_by)
    if row.token is not None:
        ending.end_attempt(db, row, ending=db.made[-1])


def with_blockers(db: Statement, chain_ids: Iterable[str]) -> Collection[str]:
    """These chains, the blockers of all their jobs, and theirs in turn."""
    found = dict.fromkeys(chain_ids)
    todo = list(found)
    while todo:
        further = [blocker for blocker in blockers_of(db, todo.pop()) if blocker not in found]
        found.update(dict.fromkeys(further))
        todo += further
    return found.keys()


def blockers_of(db: Statement, chain_id: str) -> list[str]:
    """The blockers of every job of a chain."""
    jobs = range(db.store.lengths.get(chain_id) or 0)
    return [blocker for position in jobs for blocker in db.store.blockers.get((chain_id, position)) or ()]


def delete(db: Statement, chain_ids: Collection[str]) -> None:
    """Remove chains with all their history."""
    for chain_id in chain_ids:
        check_unreferenced(db, chain_id, chain_ids=chain_ids)
    for chain_id in chain_ids:
        remove(db, chain_id)


def check_unreferenced(db: Statement, chain_id: str, *, chain_ids: Collection[str]) -> None:
    """
    Check that a chain may go together with the others.

    Raises:
        NotFound: there is no such chain.
        StillReferenced: it is the blocker of a chain that stays.
    """
    if chain_id not in db.store.chains:
        raise NotFound(f"there is no chain {chain_id}")
    for dependent, _ in db.store.dependents(chain_id):
        if dependent not in chain_ids:
            raise StillReferenced(f"chain {dependent} has {chain_id} as a blocker; delete it too, or first")


def remove(db: Statement, chain_id: str) -> None:
    """Remove one chain."""
    for position in range(db.store.lengths[chain_id]):
        _remove_job(db, chain_id, position=position)
    keys.drop(db, chain_id)
    db.store.pending.pop(chain_id)
    db.store.open.pop(chain_id)
    db.store.lengths.pop(chain_id)
    db.store.chains.pop(chain_id)


def _remove_job(db: Statement, chain_id: str, *, position: int) -> None:
    key = chain_id, position
    if outcome := db.store.outcomes.pop(key):
        source, attempt = outcome.status, outcome.row.attempt
    else:
        row = db.store.open[chain_id]
        source, attempt = row.status(db.now), row.attempt
    db.transition(Verb.DELETE, key, source=source, target=None, attempt=attempt)
    for blocker in db.store.blockers.pop(key) or ():
        db.store.edges.pop((*key, blocker))
    db.store.reopened.pop(key)
    db.store.attempts.pop(key)
    db.store.requests.pop(key)
