"""The rule for a start whose dedup key another chain holds."""

from __future__ import annotations

from ..model import Dedup, NewJob


def is_duplicate(dedup: Dedup, *, holder: str, age: float, is_open: bool) -> bool:
    """
    Return whether the start gets the holder of its key instead of a new chain.

    ``age`` is the number of seconds since the holder took the key.
    """
    is_new_enough = dedup.window is None or age <= dedup.window
    is_in_scope = dedup.scope == "any" or is_open
    return is_new_enough and is_in_scope and holder not in dedup.exclude


def keeps_dedup_key(job: NewJob) -> bool:
    """Return whether a chain keeps its dedup key when it closes."""
    return job.dedup is not None and job.dedup.scope == "any"
