"""Dedup keys: their holders, and the starts that they answer."""

from __future__ import annotations

from otelq.model import Dedup

from .rows import HolderRow, Job, Model


def holder_of(model: Model, type: str, dedup: Dedup) -> str | None:
    """Return the chain that a start with this key gets instead of its own; None if there is none."""
    holder = model.holders.get((type, dedup.key))
    if holder is None or holder.chain in dedup.exclude:
        return None
    if dedup.window is not None and (model.now - holder.created_at).total_seconds() > dedup.window:
        return None
    if dedup.scope == "open" and model.tail(holder.chain).closed:
        return None
    return holder.chain


def take_key(model: Model, job: Job, dedup: Dedup) -> None:
    lasting = dedup.scope == "any"
    model.keys[job.chain] = (job.type, dedup.key, lasting)
    model.holders[job.type, dedup.key] = HolderRow(job.chain, job.created_at, lasting)


def take_back_key(model: Model, chain: str) -> bool:
    """Return the key to a chain that is redriven; False if another has it."""
    if chain not in model.keys:
        return True
    type, key, lasting = model.keys[chain]
    holder = model.holders.setdefault((type, key), HolderRow(chain, model.chains[chain][0].created_at, lasting))
    return holder.chain == chain


def give_back_key(model: Model, chain: str, *, always: bool = False) -> None:
    """Free the key of a chain that ended, or (``always``) that is deleted."""
    for key, holder in list(model.holders.items()):
        if holder.chain == chain and (always or not holder.lasting):
            del model.holders[key]
