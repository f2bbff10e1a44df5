"""Dedup keys: who holds one, who takes it, who gives it back."""

from __future__ import annotations

from datetime import timedelta

from otelq.errors import AlreadyExists
from otelq.model import Dedup, NewJob

from .statement import Statement
from .store import Chain, Holder


def given(db: Statement, job: NewJob) -> str | None:
    """The chain that a start is given in place of a new one; the first start of a batch decides for its key."""
    if job.dedup is None:
        return None
    if first := db.given.get((job.type, job.dedup.key)):
        return first
    holder = db.store.holders.get((job.type, job.dedup.key))
    return holder.chain_id if holder and matches(db, holder, job.dedup) else None


def matches(db: Statement, holder: Holder, dedup: Dedup) -> bool:
    """Whether a start with these options is given the holder."""
    if holder.chain_id in dedup.exclude:
        return False
    if dedup.window is not None and holder.taken_at < db.now - timedelta(seconds=dedup.window):
        return False
    return dedup.scope == "any" or holder.chain_id in db.store.open


def take(db: Statement, chain: Chain) -> None:
    """Let a chain hold its key, whoever held it before."""
    if chain.dedup is not None:
        holder = Holder(chain.chain_id, chain.created_at, chain.dedup.scope == "any")
        db.store.holders.put((chain.type, chain.dedup.key), holder)


def take_back(db: Statement, chain: Chain) -> None:
    """
    Let a chain that is open again hold its key again.

    Raises:
        AlreadyExists: another chain holds it.
    """
    holder = db.store.holders.get((chain.type, chain.dedup.key)) if chain.dedup else None
    if holder is not None and holder.chain_id != chain.chain_id:
        raise AlreadyExists(f"the dedup key of chain {chain.chain_id} is held by chain {holder.chain_id}")
    take(db, chain)


def free(db: Statement, chain_id: str) -> None:
    """Give back the key of a chain that closed, unless it lasts."""
    if (holder := _held_by(db, chain_id)) and not holder.lasting:
        drop(db, chain_id)


def drop(db: Statement, chain_id: str) -> None:
    """Give back the key of a chain that goes."""
    chain = db.store.chains[chain_id]
    if chain.dedup is not None and _held_by(db, chain_id):
        db.store.holders.pop((chain.type, chain.dedup.key))


def _held_by(db: Statement, chain_id: str) -> Holder | None:
    chain = db.store.chains[chain_id]
    holder = db.store.holders.get((chain.type, chain.dedup.key)) if chain.dedup else None
    return holder if holder and holder.chain_id == chain_id else None
