"""What a caller asks for, turned into the query that an adapter answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from ..codec import check_text
from ..definitions import LONGEST_NAME, Chain, JobType, check_chain_id, check_count
from ..errors import InvalidArgument
from ..model import OPEN, JobQuery, Status

X = TypeVar("X")

LARGEST_PAGE = 1_000

TypeFilter = JobType[Any, Any] | str | Sequence[JobType[Any, Any] | str] | None
StatusFilter = str | Sequence[str] | None


def query(
    *, type: TypeFilter, status: StatusFilter, chain: Chain[Any] | str | None, limit: int, after: str | None
) -> JobQuery:
    """The checked query; ``status="open"`` is any open status."""
    check_count("limit", limit, highest=LARGEST_PAGE)
    return JobQuery(
        types=_types(type),
        statuses=_statuses(status),
        chain_ids=() if chain is None else (chain_id(chain),),
        limit=limit,
        after=after,
    )


def chain_id(chain: Chain[Any] | str) -> str:
    """The id of a chain given as a handle or by its id."""
    if isinstance(chain, Chain):
        return chain.id
    return check_chain_id("chain", chain)


def job_key(job_id: object, *, argument: str = "job_id") -> tuple[str, int]:
    """The chain id and position that a job id is made of."""
    found = _JOB_ID(job_id) if isinstance(job_id, str) else None
    if found is None:
        raise InvalidArgument(argument, f"is {job_id!r}; give the id of a job, a chain id and a position: …-9c1e.0")
    return check_chain_id(argument, found[1]), int(found[2])


_JOB_ID = re.compile(r"([^.]+)\.([0-9]{1,9})").fullmatch


def _types(type: TypeFilter) -> tuple[str, ...]:
    given = (type,) if isinstance(type, (JobType, str)) else _several("type", type)
    return tuple(
        item.name if isinstance(item, JobType) else check_text(item, argument="type", longest=LONGEST_NAME)
        for item in given
    )


def _several(argument: str, given: Iterable[X] | None) -> tuple[X, ...]:
    try:
        return () if given is None else tuple(given)
    except TypeError:
        raise InvalidArgument(argument, f"is {given!r}; give one, or several as in a list") from None


def _statuses(status: StatusFilter) -> frozenset[Status]:
    given = (status,) if isinstance(status, str) else _several("status", status)
    found: set[Status] = set()
    for item in given:
        if item == "open":
            found |= OPEN
        elif item in set(Status):
            found.add(Status(item))
        else:
            raise InvalidArgument("status", f"{item!r} is none; give open or one of {', '.join(Status)}")
    return frozenset(found)
