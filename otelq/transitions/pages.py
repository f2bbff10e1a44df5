"""
The bounds of pages of jobs and chains.

Keys are listed newest chain first, and within a chain first job first. A chain is listed by the key of its last job.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

from ..errors import InvalidArgument
from ..model import JobKey, JobQuery, Status, job_id

RecordKind: TypeAlias = Literal["jobs", "chains"]
"""The kind of records that a query lists; chains are listed by their last jobs."""


def statuses_of(query: JobQuery, of: RecordKind) -> frozenset[Status]:
    """Return the statuses that a query asks for. The last job of a chain is never ``continued``."""
    statuses = query.statuses or frozenset(Status)
    return statuses if of == "jobs" else statuses - {Status.CONTINUED}


def start_key(query: JobQuery, of: RecordKind, *, latest: str, beyond: int) -> JobKey:
    """
    Return the key after which a page starts: the last of the page before, but of no chain later than ``latest``.

    ``beyond`` is a position that no job has; with it, all jobs of a chain are skipped.
    """
    if not query.after:
        return latest, -1
    after = (query.after, beyond) if of == "chains" else _split(query.after)
    return after if after[0] <= latest else (latest, -1)


def _split(cursor: str) -> JobKey:
    chain_id, dot, position = cursor.rpartition(".")
    if not (dot and position.isdecimal()):
        raise InvalidArgument("after", f"is {cursor!r}; give the `next` of the page before")
    return chain_id, int(position)


def next_cursor(last: JobKey | None, of: RecordKind) -> str | None:
    """Return the cursor of the next page, if there may be one after this last key."""
    if last is None:
        return None
    return job_id(*last) if of == "jobs" else last[0]


def cut_page(
    found: Iterable[JobKey], ends: Iterable[JobKey], *, of: RecordKind, limit: int
) -> tuple[list[JobKey], JobKey | None]:
    """
    Return the keys of a page in order, and the last key that was read if there may be more.

    ``ends`` are the keys at which scans stopped before they had read everything. A page cannot go past the newest of
    these, because another scan may have older keys that this one has not reached.
    """
    keys, end = _in_order(found), next(iter(_in_order(ends)), None)
    # Keys older than the end of any scan are left to the next page: that scan may have others in between.
    if end is not None:
        keys = [key for key in keys if _is_up_to(key, end, of)]
    if len(keys) > limit:
        page = keys[:limit]
        return page, page[-1] if page else None
    return keys, end


def _in_order(keys: Iterable[JobKey]) -> list[JobKey]:
    # Two stable sorts, because an id is text, which cannot be negated for one.
    first_to_last = sorted(set(keys), key=lambda key: key[1])
    return sorted(first_to_last, key=lambda key: key[0], reverse=True)


def _is_up_to(key: JobKey, end: JobKey, of: RecordKind) -> bool:
    return key[0] > end[0] or (key[0] == end[0] and (of == "chains" or key[1] <= end[1]))
