"""A chain as its starter holds it."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from ..codec import check_text
from ..definitions import JobType, check_job_type

Out_co = TypeVar("Out_co", covariant=True)


class Chain(Generic[Out_co]):
    """
    A started chain, to be awaited, given as a blocker or looked up. Make one from a stored id with its job type.

    ``id`` is its id (UUIDv7, text), ``job_type`` the type of its first job. ``deduplicated`` says that a start found
    its dedup key held and this is the chain that holds it.
    """

    __slots__ = ("deduplicated", "id", "job_type")

    def __init__(self, id: str, job_type: JobType[Any, Out_co], *, deduplicated: bool = False) -> None:
        check_job_type("job_type", job_type)
        self.id = check_text(id, argument="id", longest=64)
        self.job_type = job_type
        self.deduplicated = deduplicated

    def __repr__(self) -> str:
        return f"Chain({self.id!r}, {self.job_type!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Chain) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)
