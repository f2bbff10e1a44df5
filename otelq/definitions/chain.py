"""The handle of a chain."""

from __future__ import annotations

import re
from typing import Any, Generic, TypeVar, cast
from uuid import UUID

from ..codec import check_text
from ..errors import InvalidArgument
from .types import JobType, check_job_type

Out_co = TypeVar("Out_co", covariant=True)


_CANONICAL = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}").fullmatch


def check_chain_id(argument: str, id: object) -> str:
    """Return the id in the form in which it is stored; refuse text that is no UUID."""
    if isinstance(id, str) and _CANONICAL(id):  # as most ids are; parsing is slower
        return id
    try:
        return str(UUID(check_text(cast(str, id), argument=argument, longest=64)))
    except InvalidArgument:
        raise
    except ValueError:
        raise InvalidArgument(argument, f"is {id!r}; give the id of a chain, as its start returned it") from None


class Chain(Generic[Out_co]):
    """
    A handle of a chain: wait for it, give it as a blocker, or look it up. Two handles of one chain are equal.

    Starts return handles. Make one from a stored id with ``Chain(id, job_type)``; that looks nothing up.

    Args:
        id: the chain's id, a UUIDv7 as text.
        job_type: the type of its first job, which says what the chain's output is.
        deduplicated: True if a start found its dedup key held, and this is the chain that holds it.

    Raises:
        InvalidArgument: the id is no UUID, or ``job_type`` is no job type.
    """

    __slots__ = ("deduplicated", "id", "job_type")

    def __init__(self, id: str, job_type: JobType[Any, Out_co], *, deduplicated: bool = False) -> None:
        check_job_type("job_type", job_type)
        self.id = check_chain_id("id", id)
        self.job_type = job_type
        self.deduplicated = deduplicated

    def __repr__(self) -> str:
        return f"Chain({self.id!r}, {self.job_type!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Chain) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)
