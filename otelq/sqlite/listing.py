"""
Lists of jobs and chains, newest chain first.

Each family of statuses is a walk of its own along the keys: the open ones, those that ended badly, which have an
index, and all that are closed; or one walk over certain chains. A walk ends when the page is full, or after ``look``
rows; then the page ends at the newest key up to which every walk has come.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.json import Decoder

from ..errors import InvalidArgument
from ..model import (
    CLOSED,
    ENDED,
    OPEN,
    ChainRecord,
    Count,
    Failure,
    JobKey,
    JobQuery,
    JobRecord,
    Page,
    Status,
)
from .rows import TEXTS, micros, when
from .session import Session, Value, batch

Unit: TypeAlias = Literal["jobs", "chains"]

_BAD_ENDS = frozenset({Status.FAILED, Status.CANCELLED})
_HIGHEST = "\U0010ffff"
_LATEST = (1 << 48) - 1


class JobRow(Struct, frozen=True, array_like=True):
    """A job as the lists select it."""

    chain_id: str
    position: int
    type: str
    queue: str
    status: Status
    input: str
    created_at: int
    priority: int
    attempt: int
    crashes: int
    run_at: int | None
    leased_by: str | None
    leased_until: int | None
    closed_at: int | None
    output: str | None
    error_type: str | None
    error_text: str | None
    blocked_by: int
    amended_input: str | None
    expires_at: int | None
    trace: str | None
    meta: str | None
    chain_type: str

    @property
    def key(self) -> JobKey:
        return self.chain_id, self.position


class Walked(Struct, frozen=True, array_like=True):
    """What a walk found, and where it ended if it was not at the end of the table nor of the page."""

    number: int
    rows: list[JobRow]
    end: JobKey | None


class Family(Struct, frozen=True):
    """One walk: its statement, and what only it needs."""

    name: str
    values: dict[str, Value]


JOBS = Decoder(list[JobRow])
_WALKED = Decoder(list[Walked])


async def jobs(db: Session, at: int, *, query: JobQuery) -> Page[JobRecord]:
    """A page of jobs."""
    rows, following = await _page(db, at, "jobs", query, _split(query.after))
    return Page([record(row) for row in rows], None if following is None else f"{following[0]}.{following[1]}")


async def chains(db: Session, at: int, *, query: JobQuery) -> Page[ChainRecord]:
    """A page of chains."""
    tails, following = await _page(db, at, "chains", query, _whole(query.after))
    longer = [tail.chain_id for tail in tails if tail.position]
    heads = {row.chain_id: row for row in await db.read("heads", JOBS, chains=batch(longer))} if longer else {}
    return Page([_chain(heads.get(tail.chain_id, tail), tail) for tail in tails], following and following[0])


async def count(db: Session, at: int, *, query: JobQuery, of: Unit) -> Count:
    """How many pass the filters."""
    after = _split(query.after) if of == "jobs" else _whole(query.after)
    walks = await _walk(db, at, of, query, after, shows=False)
    number = sum(walk.number for walk in walks)
    is_exact = number <= query.limit and not any(walk.end for walk in walks)
    return Count(min(number, query.limit), is_exact)


async def _page(
    db: Session, at: int, unit: Unit, query: JobQuery, after: JobKey | None
) -> tuple[list[JobRow], JobKey | None]:
    """The rows of a page, and the key that the next one goes on after."""
    walks = await _walk(db, at, unit, query, after, shows=True)
    found = sorted((row for walk in walks for row in walk.rows), key=lambda row: row.position)
    found.sort(key=lambda row: row.chain_id, reverse=True)
    end = _newest([walk.end for walk in walks if walk.end])
    rows = [row for row in found if end is None or not _is_after(row.key, end)]
    if len(rows) > query.limit:
        return rows[: query.limit], rows[query.limit - 1].key
    return rows, end


def _is_after(key: JobKey, other: JobKey) -> bool:
    """Whether the first key comes later in the walk."""
    return key[0] < other[0] or (key[0] == other[0] and key[1] > other[1])


def _newest(ends: Sequence[JobKey]) -> JobKey | None:
    newest: JobKey | None = None
    for end in ends:
        if newest is None or _is_after(newest, end):
            newest = end
    return newest


async def _walk(
    db: Session, at: int, unit: Unit, query: JobQuery, after: JobKey | None, *, shows: bool
) -> list[Walked]:
    bounds = _bounds(query, after)
    named, end = await _named(db, query, bounds)
    values = bounds | _filters(query) | {"most": query.limit + 1, "look": query.look, "shows": shows, "now": at}
    walks = [Walked(0, [], end)] if end else []
    for family in _families(query, unit, named):
        walks += await db.read(f"{unit}_{family.name}", _WALKED, **(values | family.values))
    return walks


def _families(query: JobQuery, unit: Unit, named: Sequence[str] | None) -> Iterator[Family]:
    wanted = query.statuses or frozenset(Status)
    if unit == "chains":
        wanted &= OPEN | ENDED
    opened, closed = wanted & OPEN, wanted & CLOSED
    if named is not None:
        yield Family("named", {"chains": batch(named), "statuses": batch(list(wanted))})
        return
    if opened:
        yield Family("open", {"statuses": batch(list(opened))})
    if closed and closed <= _BAD_ENDS:
        for status in closed:
            yield Family("ended_badly", {"statuses": batch([status]), "status": status})
    elif closed:
        yield Family("closed", {"statuses": batch(list(closed))})


async def _named(db: Session, query: JobQuery, bounds: dict[str, Value]) -> tuple[Sequence[str] | None, JobKey | None]:
    """The chains to walk over, newest first, if they can be named, and where they end for want of more looks."""
    low, high = str(bounds["low"]), str(bounds["high"])
    if query.chain_ids:
        return sorted({chain for chain in query.chain_ids if low <= chain <= high}, reverse=True), None
    if query.blocked_by is None:
        return None, None
    # One more: the first may be the chain in which the page before ended, with nothing left to look at.
    look = query.look + 1
    found = await db.read("dependents", TEXTS, blocked_by=query.blocked_by, low=low, high=high, look=look)
    return found, (found[-1], 1 << 62) if len(found) == look else None


def _bounds(query: JobQuery, after: JobKey | None) -> dict[str, Value]:
    """Between which keys to look."""
    low = "" if query.since is None else _earliest_id(-(-micros(query.since) // 1000))
    high = _HIGHEST if query.until is None else _earliest_id(micros(query.until) // 1000 + 1)
    if after is None or after[0] > high:
        return {"low": low, "high": high, "position": -1}
    return {"low": low, "high": after[0], "position": after[1]}


def _earliest_id(milliseconds: int) -> str:
    """What the ids begin with that were made at this time: a UUIDv7 carries it in its first 48 bits."""
    digits = f"{min(max(milliseconds, 0), _LATEST):012x}"
    return f"{digits[:8]}-{digits[8:]}"


def _filters(query: JobQuery) -> dict[str, Value]:
    matches = [(match.part, match.path, match.value) for match in query.matches]
    return {
        "types": batch(query.types) if query.types else None,
        "chain_types": batch(query.chain_types) if query.chain_types else None,
        "tenant": query.tenant,
        "tags": batch(query.tags) if query.tags else None,
        "roots": query.roots,
        "blocked_by": query.blocked_by,
        "text": query.text,
        "matches": batch(matches) if matches else None,
    }


def _split(after: str | None) -> JobKey | None:
    if after is None:
        return None
    chain_id, dot, position = after.rpartition(".")
    if not (dot and position.isdecimal()):
        raise InvalidArgument("after", f"is {after!r}; give the `next` of the page before")
    return chain_id, int(position)


def _whole(after: str | None) -> JobKey | None:
    """A chain is listed by its tail, so a position beyond any other passes the whole chain of the key over."""
    return None if after is None else (after, 1 << 62)


def _chain(head: JobRow, tail: JobRow) -> ChainRecord:
    last = record(tail)
    return ChainRecord(
        chain_id=tail.chain_id,
        type=tail.chain_type,
        head=last if head is tail else record(head),
        tail=last,
    )


def record(row: JobRow) -> JobRecord:
    """The row for people."""
    return JobRecord(
        chain_id=row.chain_id,
        position=row.position,
        type=row.type,
        queue=row.queue,
        status=row.status,
        input=row.input,
        created_at=when(row.created_at),
        priority=row.priority,
        attempt=row.attempt,
        crashes=row.crashes,
        run_at=None if row.run_at is None else when(row.run_at),
        leased_by=row.leased_by,
        leased_until=None if row.leased_until is None else when(row.leased_until),
        closed_at=None if row.closed_at is None else when(row.closed_at),
        output=row.output,
        failure=None if row.error_type is None else Failure(row.error_type, row.error_text or ""),
        blocked_by=row.blocked_by,
        amended_input=row.amended_input,
        expires_at=None if row.expires_at is None else when(row.expires_at),
        trace=row.trace,
        meta=row.meta,
    )
