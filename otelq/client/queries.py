"""What a caller asks for, turned into the query that an adapter answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..definitions import JobType
from ..errors import InvalidArgument
from ..model import OPEN, JobQuery, Status
from .chain import Chain

LARGEST_PAGE = 1_000

TypeFilter = JobType[Any, Any] | str | Sequence[JobType[Any, Any] | str] | None
StatusFilter = str | Sequence[str] | None


def query(
    *, type: TypeFilter, status: StatusFilter, chain: Chain[Any] | str | None, limit: int, after: str | None
) -> JobQuery:
    """The checked query; ``status="open"`` is any open status."""
    if not 1 <= limit <= LARGEST_PAGE:
        raise InvalidArgument("limit", f"is {limit}; give 1 to {LARGEST_PAGE}")
    return JobQuery(
        types=_types(type),
        statuses=_statuses(status),
        chain_id=None if chain is None else chain_id(chain),
        limit=limit,
        after=after,
    )


def chain_id(chain: Chain[Any] | str) -> str:
    """The id of a chain given as a handle or by its id."""
    if isinstance(chain, Chain):
        return chain.id
    if not isinstance(chain, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise InvalidArgument("chain", f"is {chain!r}; give a chain or its id")
    return chain


def job_key(job_id: str) -> tuple[str, int]:
    """The chain id and position that a job id is made of."""
    chain, dot, position = job_id.partition(".")
    if not dot or not position.isdecimal():
        raise InvalidArgument("job_id", f"is {job_id!r}; give the id of a job, a chain id and a position: …-9c1e.0")
    return chain, int(position)


def _types(type: TypeFilter) -> tuple[str, ...]:
    given = () if type is None else (type,) if isinstance(type, (JobType, str)) else tuple(type)
    return tuple(item.name if isinstance(item, JobType) else item for item in given)


def _statuses(status: StatusFilter) -> frozenset[Status]:
    given = () if status is None else (status,) if isinstance(status, str) else tuple(status)
    found: set[Status] = set()
    for item in given:
        if item == "open":
            found |= OPEN
        elif item in set(Status):
            found.add(Status(item))
        else:
            raise InvalidArgument("status", f"{item!r} is none; give open or one of {', '.join(Status)}")
    return frozenset(found)
