"""The rules for starts with dedup keys: the keys of each, and the chains that are given instead of a new one."""

from __future__ import annotations

from typing import TypeAlias

from ..model import Dedup, NewJob

DedupKey: TypeAlias = tuple[str, str]
"""A name of a job type, and a key."""


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


def dedup_keys(job: NewJob) -> list[DedupKey]:
    """
    Return the keys that the chain takes: its key under each name of its type, the present one first.

    So it meets the chains of every version of the application that knows one of these names, whether that version has
    the other names, or not yet, or no longer.
    """
    return [] if job.dedup is None else [(name, job.dedup.key) for name in (job.type, *job.aliases)]
