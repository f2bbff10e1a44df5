"""Starts: what is asked, the checks before it is written, and the statement that concurrent starts share."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from datetime import datetime
from itertools import count
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec
from uuid_utils import uuid7

from ..codec import check_text
from ..definitions import (
    Blockers,
    Chain,
    Continue,
    JobType,
    check_job_type,
    check_priority,
    check_when,
    is_job_type,
    read_blockers,
)
from ..errors import AlreadyExists, InvalidArgument, Refused, Unavailable
from ..model import Created, Dedup, Meta, NewJob, Successor
from .engine import Engine

In = TypeVar("In")
Out_co = TypeVar("Out_co", covariant=True)
X = TypeVar("X")

LONGEST_KEY = 512
MOST_TAGS = 32
LARGEST_BATCH = 1_000
"""How many concurrent starts share one statement at most."""
RETRY_PAUSES = (0.02, 0.1, 0.5)
"""Seconds between the tries of a statement whose reply was lost or that lost a conflict."""


def new_id() -> str:
    """A fresh chain id: a UUIDv7, so that ids sort by the time they were made."""
    return str(uuid7())


class Start(Generic[Out_co]):
    """
    One start among many, with options of its own; see ``Client.start`` for their meaning.

    Raises:
        InvalidArgument: a value that no chain can be started with.
    """

    __slots__ = (
        "at",
        "blockers",
        "dedup",
        "delay",
        "id",
        "input",
        "is_named",
        "job_type",
        "meta",
        "priority",
    )

    def __init__(
        self,
        job_type: JobType[X, Out_co],
        input: X,
        *,
        id: str | None = None,
        delay: float | None = None,
        at: datetime | None = None,
        priority: int = 0,
        dedup: Dedup | None = None,
        blockers: Blockers = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        check_job_type("job_type", job_type)
        if not job_type.entry:
            raise InvalidArgument("job_type", f"{job_type.name!r} may only be continued into; start an entry type")
        check_when(delay, at)
        self.job_type: JobType[Any, Out_co] = job_type
        self.input: Any = input
        self.id = new_id() if id is None else check_id(id)
        self.is_named = id is not None
        self.delay = delay
        self.at = at
        self.priority = check_priority(priority) or 0
        self.dedup = check_dedup(dedup)
        self.blockers = read_blockers(blockers, of=self.id)
        self.meta = check_tags(tags)

    def request(self, *, payload: str, trace: str | None) -> NewJob:
        """What the state adapter is asked to write; ``payload`` is the encoded input."""
        return NewJob(
            chain_id=self.id,
            type=self.job_type.name,
            input=payload,
            queue=self.job_type.queue,
            delay=self.delay,
            at=self.at,
            priority=self.priority,
            dedup=self.dedup,
            blockers=self.blockers.ids,
            until=self.blockers.until,
            on_failure=self.blockers.on_failure,
            trace=trace,
            meta=self.meta,
        )

    @property
    def is_plain(self) -> bool:
        """Whether it can share a statement with other callers' starts: no waiting for locks of others."""
        return self.dedup is None and not self.blockers.ids

    def chain(self, created: Created) -> Chain[Out_co]:
        """The handle of what was created, or of the chain that holds the dedup key."""
        return Chain(created.chain_id, self.job_type, deduplicated=created.deduplicated)


def read_starts(what: object, inputs: object) -> tuple[list[Start[Any]], Iterator[str]]:
    """What ``start_many`` is asked in either of its forms, and how errors name the input of each start."""
    if is_job_type(what):
        return [Start(what, input) for input in _many("inputs", inputs)], (f"inputs[{n}]" for n in count())
    if inputs is not None:
        raise InvalidArgument("job_type", f"is {what!r}; give a JobType or a decorated handler")
    starts = list(_many("starts", what))
    for start in starts:
        if not isinstance(start, Start):
            raise InvalidArgument("starts", f"holds {start!r}; give a job type and inputs, or Start values")
    return starts, (f"starts[{n}].input" for n in count())


def _many(argument: str, values: object) -> Iterable[Any]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InvalidArgument(argument, f"is {values!r}; give several, as in a list")
    return values  # pyright: ignore[reportUnknownVariableType]  # whatever it yields is checked one by one


def successor(continuation: Continue[Any], *, payload: str, trace: str | None, meta: str | None = None) -> Successor:
    """What the state adapter is asked to write for a continuation; ``payload`` is the encoded input."""
    return Successor(
        type=continuation.job_type.name,
        input=payload,
        queue=continuation.job_type.queue,
        delay=continuation.delay,
        at=continuation.at,
        priority=continuation.priority,
        trace=trace,
        meta=meta,
    )


def check_id(id: str) -> str:
    """Refuse an id that is no UUIDv7; keys that begin with the time of their making keep the tables small."""
    try:
        parsed = UUID(check_text(id, argument="id", longest=64))
    except ValueError as error:
        if isinstance(error, InvalidArgument):
            raise
        raise InvalidArgument("id", f"{id!r} is no UUID; make one with otelq.new_id()") from None
    if parsed.version != 7:
        raise InvalidArgument("id", f"{id!r} is a UUID of version {parsed.version}; make one with otelq.new_id()")
    return str(parsed)


def check_dedup(dedup: Dedup | None) -> Dedup | None:
    """Refuse a dedup that is no ``Dedup``, or whose key cannot be stored."""
    if dedup is None:
        return None
    if not isinstance(dedup, Dedup):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise InvalidArgument("dedup", f"is {dedup!r}; give otelq.Dedup(key)")
    check_text(dedup.key, argument="dedup.key", longest=LONGEST_KEY)
    return dedup


def check_tags(tags: Mapping[str, str] | None) -> str | None:
    """Tags as they are stored; refuse what is no text, or too many of them."""
    if not tags:
        return None
    if not isinstance(tags, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise InvalidArgument("tags", f"is {tags!r}; give a dict of text to text")
    if len(tags) > MOST_TAGS:
        raise InvalidArgument("tags", f"has {len(tags)} entries; give {MOST_TAGS} at most")
    for key, value in tags.items():
        check_text(key, argument="tags", longest=LONGEST_KEY)
        check_text(value, argument=f"tags[{key!r}]", longest=LONGEST_KEY)
    return msgspec.json.encode(Meta(tags=dict(tags))).decode()


class Coalescer:
    """Lets concurrent plain starts share one statement; each caller gets its own result or its own error."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: list[tuple[NewJob, asyncio.Future[Created]]] = []
        self._flight: asyncio.Task[None] | None = None

    async def create(self, job: NewJob) -> Created:
        """
        Create one chain together with whoever else starts one just now.

        A caller that is cancelled before its statement is sent starts nothing; afterwards the chain may exist.
        """
        self._engine.state.refuse_inside()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Created] = loop.create_future()
        self._waiting.append((job, future))
        if self._flight is None:
            self._flight = loop.create_task(self._fly(), name="otelq starts", context=contextvars.Context())
        return await future

    async def close(self) -> None:
        """Wait for the starts that are under way."""
        if self._flight is not None:
            await asyncio.wait([self._flight])

    async def _fly(self) -> None:
        try:
            with self._engine.telemetry.silence():
                while self._waiting:
                    batch, self._waiting = self._waiting[:LARGEST_BATCH], self._waiting[LARGEST_BATCH:]
                    await self._send([item for item in batch if not item[1].done()])
        finally:
            self._flight = None

    async def _send(self, batch: list[tuple[NewJob, asyncio.Future[Created]]]) -> None:
        if not batch:
            return
        try:
            created = await create(self._engine, [job for job, _ in batch])
        except Refused as error:
            if len(batch) == 1:
                return _fail(batch, error)
            middle = len(batch) // 2
            await self._send(batch[:middle])
            await self._send(batch[middle:])
        except Exception as error:
            _fail(batch, error)
        else:
            for (_, future), result in zip(batch, created, strict=True):
                if not future.done():
                    future.set_result(result)


async def create(engine: Engine, jobs: Sequence[NewJob]) -> Sequence[Created]:
    """
    Create chains in a transaction of otelq's own and tell what follows; safe to repeat when a reply is lost.

    Raises:
        Unavailable: the database stayed away through several tries; the chains may or may not exist.
    """
    again = False
    began = time.perf_counter()
    for pause in (*RETRY_PAUSES, None):
        try:
            created, transitions = await engine.state.create(jobs, again=again)
        except Unavailable as error:
            if pause is None:
                engine.telemetry.operation("enqueue", time.perf_counter() - began, type(error).__qualname__)
                raise
            again = True
            await asyncio.sleep(pause)
        else:
            engine.telemetry.operation("enqueue", time.perf_counter() - began)
            engine.effects.follow(transitions)
            return created
    raise AssertionError("the last try returns or raises")


def refuse_existing(created: Sequence[Created]) -> None:
    """Raise for a start whose id was taken."""
    for result in created:
        if result.exists:
            raise AlreadyExists(f"chain {result.chain_id} exists; nothing was written for this start")


def _fail(batch: list[tuple[NewJob, asyncio.Future[Created]]], error: Exception) -> None:
    """Each caller gets an error of its own, so that their tracebacks do not grow into one another."""
    for _, future in batch:
        if not future.done():
            future.set_exception(_own(error))


def _own(error: Exception) -> Exception:
    """A copy of the error, or the error itself where it cannot be copied."""
    try:
        mine = copy(error)
    except Exception:
        return error
    mine.__cause__ = error.__cause__
    return mine
