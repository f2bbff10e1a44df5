"""Requests to start chains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol

from msgspec import Struct
from msgspec.json import Decoder

from ..errors import UndecodablePayload
from ..texts import line


class Meta(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    The metadata of a chain, inherited by every job of the chain.

    ``tags`` can be searched, ``headers`` are for handlers and other systems. ``tenant`` and ``request_id`` name the
    tenant and the request for which the chain was started.
    """

    tags: Mapping[str, str] = {}  # a struct gives every value its own
    headers: Mapping[str, str] = {}  # likewise
    tenant: str | None = None
    request_id: str | None = None


class Identified(Protocol):
    """An object with an id, such as the handle of a chain."""

    @property
    def id(self) -> str: ...


class Dedup(Struct, frozen=True):
    """
    A key that at most one chain of a type holds.

    A start whose key is held by a matching chain returns that chain and ignores everything else about the start. The
    holder is the chain that took the key last. It matches unless it is in ``exclude``, was created more than ``window``
    seconds ago, or is closed while the scope is ``"open"``. A holder that does not match loses the key to the new
    chain. Of starts with one key in one call, the first counts for all.

    Raises:
        InvalidArgument: raised by the start, for a value out of its range.
    """

    key: str
    """Text of 1 to 512 characters; each job type has keys of its own, which all its names share."""
    scope: Literal["open", "any"] = "open"
    """
    ``"open"``: the chain returns the key when it closes. ``"any"``: it holds the key until it is deleted or loses it.
    """
    window: float | None = None
    """Seconds since its creation in which a holder matches; None for no limit."""
    exclude: Sequence[str | Identified] = ()
    """Up to 1,000 chains or ids that do not count, such as the chain that starts its own next one."""


class Until(StrEnum):
    """The number of its blockers that a job waits for: all, or any one."""

    ALL = "all"
    ANY = "any"


class OnFailure(StrEnum):
    """
    The meaning of a failed or cancelled blocker for the job that waits for it.

    ``fail``: the blocker can no longer meet the condition. The job fails as soon as its condition cannot be met (of
    all: at once; of any: when every blocker has failed). ``ignore``: the blocker counts as finished, like a completed
    one. ``wait``: the blocker counts as open until it is redriven and completes.
    """

    FAIL = "fail"
    IGNORE = "ignore"
    WAIT = "wait"


class NewJob(Struct, frozen=True, kw_only=True):
    """
    A request to start a chain.

    ``input`` is JSON text. ``delay`` is seconds from the database's now, ``at`` an absolute time; at most one is
    given, and a time in the past means now.
    """

    chain_id: str
    type: str
    input: str
    queue: str = "default"
    delay: float | None = None
    at: datetime | None = None
    priority: int = 0
    dedup: Dedup | None = None
    aliases: tuple[str, ...] = ()
    """Other names of the type, under which the chain holds its dedup key too."""
    blockers: tuple[str, ...] = ()
    """Ids of chains to wait for, each once, as ``until`` and ``on_failure`` say."""
    until: Until = Until.ALL
    on_failure: OnFailure = OnFailure.FAIL
    expires: float | None = None
    """Seconds from the start after which the job, if it was never claimed, is closed as cancelled."""
    trace: str | None = None
    meta: str | None = None
    """A ``Meta`` as JSON text."""


class Created(Struct, frozen=True, kw_only=True):
    """
    The result of one start: the new chain, or the chain that already holds the dedup key.

    A request whose id is taken has ``exists``; the other chains of its batch are created all the same.
    """

    chain_id: str
    deduplicated: bool = False
    exists: bool = False

    @property
    def is_new(self) -> bool:
        """Return whether this request stored the chain."""
        return not (self.deduplicated or self.exists)


def read_meta(text: str | None) -> Meta:
    """
    Return the stored metadata of a chain; an empty one for None.

    Raises:
        UndecodablePayload: the text was not written by otelq.
    """
    if not text:
        return _NO_META
    try:
        return _META.decode(text)
    except (ValueError, RecursionError) as error:
        raise UndecodablePayload(f"tags, headers, tenant and request id cannot be read: {line(str(error))}") from error


_META = Decoder(Meta)
_NO_META = Meta()
