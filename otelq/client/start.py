"""One start as a value, and its checks, made before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, Self, TypeVar, Unpack, cast
from uuid import UUID

import msgspec
from uuid_utils import uuid7

from ..codec import check_line, check_text
from ..definitions import (
    LONGEST_NAME,
    Chain,
    Continue,
    JobType,
    MetaOptions,
    StartOptions,
    check_blockers,
    check_chain_id,
    check_job_type,
    check_priority,
    check_seconds,
    check_when,
    is_job_type,
    refuse_unknown,
)
from ..errors import AlreadyExists, InvalidArgument
from ..model import Created, Dedup, NewJob, Successor
from ..retry_policy import LONGEST_DELAY
from ..telemetry import current_request_id
from .metadata import check_meta, encode_meta, merge_meta

In = TypeVar("In")
Out_co = TypeVar("Out_co", covariant=True)
X = TypeVar("X")

LONGEST_KEY = 512
MOST_EXCLUDED = 1_000

InputName = Callable[[int], str]
"""Returns the name that errors give to the input of the start at an index."""


def new_id() -> str:
    """Return a fresh chain id: a UUIDv7, so that ids sort by the time they were made."""
    return str(uuid7())


class Start(Generic[Out_co]):
    """
    One start among many, for ``Client.start_many``, with the options of ``Client.start``.

    Args:
        job_type: the type of the first job.
        input: its input.
        id: a UUIDv7 from ``otelq.new_id()``. Default: a new one.
        delay: seconds until the job is due, 0 to ten years.
        at: when it is due, instead of ``delay``: a ``datetime`` with a zone.
        priority: -100 to 100; lower numbers run first. Default: 0.
        dedup: the key that at most one chain of the type holds.
        blockers: chains to wait for.
        expires: seconds within which the job must be started, or it is cancelled.
        tags: text to search for, inherited by all jobs.
        headers: text for handlers, inherited by all jobs.
        tenant: the tenant to which the chain belongs.
        request_id: the id of the request that started it.

    Attributes:
        queue: the queue of the type, or that of ``in_queue``.

    Raises:
        InvalidArgument: a value that no chain can be started with.
    """

    __slots__ = (
        "at",
        "blockers",
        "dedup",
        "delay",
        "expires",
        "id",
        "input",
        "is_named",
        "job_type",
        "meta",
        "priority",
        "queue",
    )

    def __init__(self, job_type: JobType[X, Out_co], input: X, **options: Unpack[StartOptions]) -> None:
        refuse_unknown(options, StartOptions)
        check_job_type("job_type", job_type)
        if not job_type.entry:
            raise InvalidArgument("job_type", f"{job_type.name!r} may only be continued into; start an entry type")
        id, expires = options.get("id"), options.get("expires")
        self.delay, self.at = check_due(options.get("delay"), options.get("at"))
        self.job_type: JobType[Any, Out_co] = job_type
        self.input: Any = input
        self.queue = job_type.queue
        self.id = new_id() if id is None else check_id(id)
        self.is_named = id is not None
        self.priority = check_priority(options.get("priority")) or 0
        self.dedup = check_dedup(options.get("dedup"))
        self.blockers = check_blockers(options.get("blockers", ()), of=self.id)
        self.expires = None if expires is None else check_expires(expires, delay=self.delay)
        self.meta = check_meta(options, request_id=current_request_id())

    def with_meta(self, **options: Unpack[MetaOptions]) -> Self:
        """
        Return the same start with these tags and headers added, and with this tenant and request id instead of its own.

        Args:
            tags: pairs to add; they replace those of the same name.
            headers: likewise.
            tenant: the new tenant; None keeps the old one.
            request_id: the new request id; None keeps the old one.
        """
        refuse_unknown(options, MetaOptions)
        return self._replace(meta=merge_meta(self.meta, check_meta(options)))

    def in_queue(self, queue: str) -> Self:
        """
        Return the same start with another queue than that of its type.

        Args:
            queue: the name of the queue, 1 to 200 characters.
        """
        return self._replace(queue=check_line(queue, argument="queue", longest=LONGEST_NAME))

    def _replace(self, **changes: object) -> Self:
        other = object.__new__(type(self))  # past `__init__`: the values are checked already
        for name in self.__slots__:
            setattr(other, name, changes.get(name, getattr(self, name)))
        return other

    def request(self, *, payload: str, trace: str | None) -> NewJob:
        """Return the row to write; ``payload`` is the encoded input."""
        return NewJob(
            chain_id=self.id,
            type=self.job_type.name,
            input=payload,
            queue=self.queue,
            delay=self.delay,
            at=self.at,
            priority=self.priority,
            dedup=self.dedup,
            aliases=self.job_type.aliases if self.dedup else (),
            blockers=self.blockers.ids,
            until=self.blockers.until,
            on_failure=self.blockers.on_failure,
            expires=self.expires,
            trace=trace,
            meta=encode_meta(self.meta),
        )

    @property
    def is_plain(self) -> bool:
        """Return whether it can share a statement with other starts: it needs no lock that another may hold."""
        return self.dedup is None and not self.blockers.ids

    def chain(self, created: Created) -> Chain[Out_co]:
        """Return the handle of the created chain, or of the one that holds the dedup key."""
        return Chain(created.chain_id, self.job_type, deduplicated=created.deduplicated)


def read_starts(what: object, inputs: object) -> tuple[list[Start[Any]], InputName]:
    """Return the starts given to ``start_many`` in either form, and the function that names their inputs."""
    if is_job_type(what):
        return [Start(what, input) for input in _check_several("inputs", inputs)], lambda n: f"inputs[{n}]"
    if inputs is not None:
        raise InvalidArgument("job_type", f"is {what!r}; give a JobType or a decorated handler")
    return check_starts(_check_several("starts", what)), lambda n: f"starts[{n}].input"


def check_starts(starts: Iterable[object]) -> list[Start[Any]]:
    """Return the starts in a list; refuse other values among them."""
    listed: list[Start[Any]] = []
    for start in starts:
        if not isinstance(start, Start):
            raise InvalidArgument("starts", f"holds {start!r}; give a job type and inputs, or Start values")
        listed.append(start)  # pyright: ignore[reportUnknownArgumentType]  # of whatever output
    return listed


def refuse_existing(created: Iterable[Created]) -> None:
    """Raise for a start whose id was taken."""
    for result in created:
        if result.exists:
            raise AlreadyExists(f"chain {result.chain_id} exists; nothing was written for this start")


def _check_several(argument: str, values: object) -> Iterable[Any]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InvalidArgument(argument, f"is {values!r}; give several, as in a list")
    return values  # pyright: ignore[reportUnknownVariableType]  # whatever it yields is checked one by one


def successor(continuation: Continue[Any], *, payload: str, trace: str | None, meta: str | None = None) -> Successor:
    """Return the row to write for a continuation; ``payload`` is the encoded input."""
    return Successor(
        type=continuation.job_type.name,
        input=payload,
        queue=continuation.job_type.queue,
        delay=continuation.delay,
        at=None if continuation.at is None else check_ahead(continuation.at),
        priority=continuation.priority,
        blockers=continuation.blockers.ids,
        until=continuation.blockers.until,
        on_failure=continuation.blockers.on_failure,
        trace=trace,
        meta=meta,
    )


def check_due(delay: float | None, at: datetime | None) -> tuple[float | None, datetime | None]:
    """Return the due time, in seconds or in UTC; refuse one that is not within ten years, as a mistake."""
    delay, at = check_when(delay, at)
    return delay, None if at is None else check_ahead(at)


def check_ahead(at: datetime) -> datetime:
    """Return the time; refuse one more than ten years ahead, as for a delay. Some drivers cannot even send it."""
    if at - datetime.now(UTC) > _FURTHEST:  # noqa: TID251  # only to find mistakes of years; the database decides when a job is due
        raise InvalidArgument("at", f"is {at.isoformat()}; give a time within the next ten years")
    return max(at, _EARLIEST)


_EARLIEST = datetime(1, 1, 3, tzinfo=UTC)
"""The earliest due time that is stored; some clients of a database cannot show earlier ones in their zone."""
_FURTHEST = timedelta(seconds=LONGEST_DELAY)


def check_id(id: str) -> str:
    """Return the id; refuse any but a UUIDv7, whose order by time keeps index pages dense."""
    try:
        parsed = UUID(check_text(id, argument="id", longest=64))
    except ValueError as error:
        if isinstance(error, InvalidArgument):
            raise
        raise InvalidArgument("id", f"{id!r} is no UUID; make one with otelq.new_id()") from None
    if parsed.version != 7:
        raise InvalidArgument("id", f"{id!r} is a UUID of version {parsed.version}; make one with otelq.new_id()")
    return str(parsed)


def check_expires(expires: float, *, delay: float | None) -> float:
    """Return the seconds within which a job must start; refuse fewer than its delay."""
    seconds = check_seconds("expires", expires, lowest=0.001)
    if delay is not None and seconds <= delay:
        raise InvalidArgument("expires", f"is {expires!r}, before the job is due; give more than its delay, {delay:g}")
    return seconds


def check_dedup(dedup: Dedup | None) -> Dedup | None:
    """Return the dedup as it is stored, with ids for the chains that it excludes."""
    if dedup is None:
        return None
    if not isinstance(dedup, Dedup):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise InvalidArgument("dedup", f"is {dedup!r}; give otelq.Dedup(key)")
    check_text(dedup.key, argument="dedup.key", longest=LONGEST_KEY)
    if dedup.scope not in ("open", "any"):
        raise InvalidArgument("dedup.scope", f"is {dedup.scope!r}; give open or any")
    window = dedup.window if dedup.window is None else check_seconds("dedup.window", dedup.window, lowest=0.001)
    if dedup.exclude == () and window is dedup.window:
        return dedup
    return msgspec.structs.replace(dedup, window=window, exclude=_check_exclude(dedup.exclude))


def _check_exclude(exclude: object) -> tuple[str, ...]:
    if isinstance(exclude, str | Chain) or not isinstance(exclude, Iterable):
        raise InvalidArgument("dedup.exclude", f"is {exclude!r}; give several chains or ids, as in a list")
    given = cast(Iterable[object], exclude)
    ids = tuple(one.id if isinstance(one, Chain) else check_chain_id("dedup.exclude", one) for one in given)
    if len(ids) > MOST_EXCLUDED:
        raise InvalidArgument("dedup.exclude", f"has {len(ids)} chains; give {MOST_EXCLUDED:,} at most")
    return ids
