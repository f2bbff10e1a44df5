"""The filters of jobs and chains, checked and turned into the query of the state port."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar, cast

from ..codec import Payload, check_text
from ..definitions import LONGEST_NAME, Chain, JobType, check_chain_id, check_count, check_time
from ..errors import InvalidArgument
from ..model import OPEN, JobKey, JobQuery, Match, Status
from .metadata import LONGEST_ID, LONGEST_TEXT, MOST_PAIRS

X = TypeVar("X")

LARGEST_PAGE = 1_000
LARGEST_COUNT = 100_000
MOST_CHAINS = 1_000
MOST_JOBS = 100
MOST_MATCHES = 16
DEEPEST_PATH = 32

AnyChain: TypeAlias = Chain[Any] | str
"""A chain, by its handle or its id."""
TypeFilter: TypeAlias = JobType[Any, Any] | str | Sequence[JobType[Any, Any] | str] | None
"""One or several job types, or their names."""
QueueFilter: TypeAlias = str | Sequence[str] | None
"""One or several queues."""
StatusFilter: TypeAlias = str | Sequence[str] | None
"""One or several statuses; ``"open"`` stands for all that are open."""
Path: TypeAlias = str | tuple[str | int, ...]
"""A path into a payload: keys joined by dots, or a tuple of keys and indexes."""


class Filters(TypedDict, total=False):
    """
    The filters that jobs and chains share. All given filters must hold; None counts as not given.

    A path into a payload is text of keys joined by dots, where a number is the index of a list: ``"lines.0.sku"``; or a
    tuple of up to 32 keys and indexes, for keys that hold dots or are numbers: ``("a.b", "0")``.
    """

    type: TypeFilter
    """
    One or several job types, or their names: of the job; for chains, of the first job. A ``JobType`` stands for all its
    names, text for that name alone.
    """
    chain: AnyChain | None
    """One chain, by its handle or id."""
    queue: QueueFilter
    """One or several queues: of the job; for chains, of the first job."""
    status: StatusFilter
    """One or several statuses, ``"open"`` for any open one: of the job; for chains, of the last job."""
    tags: Mapping[str, str] | None
    """Tags that the chain has; it may have more."""
    tenant: str | None
    """The tenant to which the chain belongs."""
    since: datetime | None
    """Chains whose id was made then or later, a ``datetime`` with a zone."""
    until: datetime | None
    """Chains whose id was made then or earlier, a ``datetime`` with a zone."""
    input: Mapping[Path, object] | None
    """Up to 16 values at paths of the input, as JSON: ``{"customer.id": 42}``; for chains, of the first job."""
    output: Mapping[Path, object] | None
    """Up to 16 values at paths of the output; for chains, of the last job."""
    text: str | None
    """
    Text that occurs, letter for letter, in the JSON of the input or the output; its spacing depends on the database.
    """
    blocked_by: AnyChain | None
    """A chain that the job waits for or ever waited for; for chains, that one of its jobs did."""


class JobFilters(Filters, total=False):
    """
    The filters of ``Client.jobs``. All given filters must hold; None counts as not given.

    A path into a payload is text of keys joined by dots, where a number is the index of a list: ``"lines.0.sku"``; or a
    tuple of up to 32 keys and indexes, for keys that hold dots or are numbers: ``("a.b", "0")``.
    """

    ids: Iterable[str] | None
    """Up to 100 ids of jobs."""
    chain_type: TypeFilter
    """One or several types of the chain's first job."""


class ChainFilters(Filters, total=False):
    """
    The filters of ``Client.chains``. All given filters must hold; None counts as not given. Paths are those of
    ``JobFilters``.
    """

    ids: Iterable[AnyChain] | None
    """Up to 1,000 handles or ids of chains; an empty list finds nothing."""
    roots: bool
    """True for chains that are no blocker of another."""


def job_query(filters: JobFilters, *, limit: int, after: str | None = None) -> JobQuery:
    """Return the checked query for jobs, without ``ids``: jobs with given ids are looked up one by one."""
    _refuse_unknown(filters, JobFilters)
    if after is not None:
        chain, position = job_key(after, argument="after")
        after = f"{chain}.{position}"
    return _query(
        cast(Filters, filters),
        chain_types=_types("chain_type", filters.get("chain_type")),
        chain_ids=_one_chain(filters),
        limit=limit,
        after=after,
    )


def chain_query(filters: ChainFilters, *, limit: int, after: str | None = None) -> JobQuery:
    """Return the checked query for chains."""
    _refuse_unknown(filters, ChainFilters)
    if after is not None:
        after = check_chain_id("after", after)
    return _query(
        cast(Filters, filters),
        chain_ids=_one_chain(filters) or _chain_ids(filters.get("ids")),
        roots=check_bool("roots", filters.get("roots", False)),
        limit=limit,
        after=after,
    )


def selects_nothing(filters: ChainFilters, query: JobQuery) -> bool:
    """Return whether the filters have an empty list of ids; the query cannot tell it from a missing one."""
    return filters.get("ids") is not None and not query.chain_ids


def job_keys(filters: JobFilters) -> list[JobKey] | None:
    """Return the keys of the jobs in ``ids``, those of the newest chains first; None without ``ids``."""
    given = filters.get("ids")
    if given is None:
        return None
    if filters.get("chain") is not None:
        raise InvalidArgument("ids", "is given together with chain; give one of them")
    keys = {job_key(id, argument="ids") for id in _check_several("ids", given)}
    if len(keys) > MOST_JOBS:
        raise InvalidArgument("ids", f"has {len(keys)} jobs; give {MOST_JOBS} at most")
    # Two stable sorts: chains descend, the jobs within a chain ascend.
    by_position = sorted(keys, key=lambda key: key[1])
    return sorted(by_position, key=lambda key: key[0], reverse=True)


def chain_id(chain: AnyChain, *, argument: str = "chain") -> str:
    """Return the id of a chain given as a handle or by its id."""
    if isinstance(chain, Chain):
        return chain.id
    return check_chain_id(argument, chain)


def job_key(job_id: object, *, argument: str = "job_id") -> JobKey:
    """Return the chain id and position that a job id is made of."""
    found = _JOB_ID(job_id) if isinstance(job_id, str) else None
    if found is None:
        raise InvalidArgument(argument, f"is {job_id!r}; give the id of a job, a chain id and a position: …-9c1e.0")
    return check_chain_id(argument, found[1]), int(found[2])


# Nine digits: positions are 32-bit integers in the stores.
_JOB_ID = re.compile(r"([^.]+)\.([0-9]{1,9})").fullmatch


def check_bool(argument: str, value: object) -> bool:
    """Return the value; refuse any but True and False."""
    if not isinstance(value, bool):
        raise InvalidArgument(argument, f"is {value!r}; give True or False")
    return value


def _query(filters: Filters, *, limit: int, **more: Any) -> JobQuery:
    blocked_by = filters.get("blocked_by")
    since, until = _time("since", filters.get("since")), _time("until", filters.get("until"))
    if since is not None and until is not None and since > until:
        raise InvalidArgument("since", "is later than until; nothing lies between")
    return JobQuery(
        types=_types("type", filters.get("type")),
        queues=_queues(filters.get("queue")),
        statuses=_statuses(filters.get("status")),
        blocked_by=None if blocked_by is None else chain_id(blocked_by, argument="blocked_by"),
        tags=_tags(filters.get("tags")),
        tenant=_text("tenant", filters.get("tenant"), longest=LONGEST_ID),
        since=since,
        until=until,
        matches=_matches(filters),
        text=_text("text", filters.get("text"), longest=LONGEST_TEXT),
        limit=check_count("limit", limit, highest=LARGEST_COUNT),
        **more,
    )


def check_page(limit: object) -> None:
    """Refuse a page that is larger than one can be."""
    check_count("limit", limit, highest=LARGEST_PAGE)


def _refuse_unknown(given: Mapping[str, object], known: type) -> None:
    names = known.__annotations__
    for name in given:
        if name not in names:
            raise InvalidArgument(name, f"is no filter; known are {', '.join(sorted(names))}")


def _one_chain(filters: JobFilters | ChainFilters) -> tuple[str, ...]:
    chain = filters.get("chain")
    if chain is None:
        return ()
    if filters.get("ids") is not None:
        raise InvalidArgument("ids", "is given together with chain; give one of them")
    return (chain_id(chain),)


def _chain_ids(given: Iterable[AnyChain] | None) -> tuple[str, ...]:
    ids = tuple(dict.fromkeys(chain_id(one, argument="ids") for one in _check_several("ids", given)))
    if len(ids) > MOST_CHAINS:
        raise InvalidArgument("ids", f"has {len(ids)} chains; give {MOST_CHAINS:,} at most")
    return ids


def _types(argument: str, type: TypeFilter) -> tuple[str, ...]:
    given = (type,) if isinstance(type, (JobType, str)) else _check_several(argument, type)
    return tuple(name for item in given for name in _names(argument, item))


def _names(argument: str, item: JobType[Any, Any] | str) -> tuple[str, ...]:
    if isinstance(item, JobType):
        return item.names
    return (check_text(item, argument=argument, longest=LONGEST_NAME),)


def _queues(queue: QueueFilter) -> tuple[str, ...]:
    given = (queue,) if isinstance(queue, str) else _check_several("queue", queue)
    return tuple(check_text(item, argument="queue", longest=LONGEST_NAME) for item in given)


def _check_several(argument: str, given: Iterable[X] | None) -> tuple[X, ...]:
    if isinstance(given, str):
        raise InvalidArgument(argument, f"is {given!r}; give several, as in a list")
    try:
        return () if given is None else tuple(given)
    except TypeError:
        raise InvalidArgument(argument, f"is {given!r}; give one, or several as in a list") from None


def _statuses(status: StatusFilter) -> frozenset[Status]:
    given = (status,) if isinstance(status, str) else _check_several("status", status)
    return frozenset[Status]().union(*map(_status, given))


def _status(item: str) -> frozenset[Status]:
    if item == "open":
        return OPEN
    try:
        return frozenset({Status(item)})
    except ValueError:
        raise InvalidArgument("status", f"{item!r} is none; give open or one of {', '.join(Status)}") from None


def _text(argument: str, text: str | None, *, longest: int) -> str | None:
    return None if text is None else check_text(text, argument=argument, longest=longest)


def _time(argument: str, time: datetime | None) -> datetime | None:
    if time is None:
        return None
    return check_time(argument, time)


def _tags(tags: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    return tuple(
        (
            check_text(key, argument="tags", longest=LONGEST_TEXT),
            check_text(value, argument=f"tags[{key!r}]", longest=LONGEST_TEXT),
        )
        for key, value in _check_pairs("tags", tags, most=MOST_PAIRS)
    )


def _matches(filters: Filters) -> tuple[Match, ...]:
    parts: tuple[Literal["input", "output"], ...] = ("input", "output")
    return tuple(
        Match(part=part, path=_path(part, path), value=_JSON.encode_match(value, argument=f"{part}[{path!r}]"))
        for part in parts
        for path, value in _check_pairs(part, filters.get(part), most=MOST_MATCHES)
    )


_JSON = Payload(Any)
_INDEX = re.compile(r"[0-9]{1,9}").fullmatch


def _path(part: str, path: object) -> tuple[str | int, ...]:
    keys: object = tuple(_split_path(path)) if isinstance(path, str) else path
    listed = cast(tuple[object, ...], keys) if isinstance(keys, tuple) else ()
    if not 1 <= len(listed) <= DEEPEST_PATH:
        raise InvalidArgument(part, f"names the path {path!r}; give dotted keys, or a tuple of 1 to {DEEPEST_PATH}")
    return tuple(_key(part, key) for key in listed)


def _split_path(path: str) -> Iterator[str | int]:
    return (int(key) if _INDEX(key) else key for key in path.split("."))


def _key(part: str, key: object) -> str | int:
    if isinstance(key, int) and not isinstance(key, bool) and 0 <= key < 1_000_000_000:
        return key
    if isinstance(key, str):
        return check_text(key, argument=part, longest=LONGEST_TEXT)
    raise InvalidArgument(part, f"names the key {key!r} in a path; give text, or the index of a list from 0")


def _check_pairs(argument: str, given: Mapping[Any, Any] | None, *, most: int) -> Sequence[tuple[Any, Any]]:
    if given is None:
        return ()
    if not isinstance(given, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise InvalidArgument(argument, f"is {given!r}; give a dict")
    if len(given) > most:
        raise InvalidArgument(argument, f"has {len(given)} entries; give {most} at most")
    return tuple(given.items())
