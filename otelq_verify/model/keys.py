"""Dedup keys: their holders, and the starts that they answer."""

from __future__ import annotations

from otelq.model import Dedup, NewJob

from .rows import HolderRow, Job, Key, Model


def keys_of(request: NewJob) -> list[Key]:
    """Return the keys that a start wants: its own under each name of its type."""
    if request.dedup is None:
        return []
    return [(name, request.dedup.key) for name in (request.type, *request.aliases)]


def holder_of(model: Model, key: Key, dedup: Dedup) -> str | None:
    """Return the chain that a start with this key gets instead of its own; None if there is none."""
    holder = model.holders.get(key)
    if holder is None or holder.chain in dedup.exclude:
        return None
    if dedup.window is not None and (model.now - holder.created_at).total_seconds() > dedup.window:
        return None
    if dedup.scope == "open" and model.tail(holder.chain).closed:
        return None
    return holder.chain


def take_keys(model: Model, job: Job, keys: list[Key], dedup: Dedup) -> None:
    lasting = dedup.scope == "any"
    model.keys[job.chain] = (keys, lasting)
    model.holders |= dict.fromkeys(keys, HolderRow(job.chain, job.created_at, lasting))


def take_back_keys(model: Model, chain: str) -> bool:
    """Return the keys to a chain that is redriven; False if another has one of them."""
    keys, lasting = model.keys.get(chain, ([], False))
    own = HolderRow(chain, model.chains[chain][0].created_at, lasting)
    return all(model.holders.setdefault(key, own).chain == chain for key in keys)


def give_back_keys(model: Model, chain: str, *, always: bool = False) -> None:
    """Free the keys of a chain that ended, or (``always``) that is deleted."""
    for key, holder in list(model.holders.items()):
        if holder.chain == chain and (always or not holder.lasting):
            del model.holders[key]
