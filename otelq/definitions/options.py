"""The options of starts, continuations, copies and amendments, as keyword arguments: each is spelled here, once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypedDict

from ..model import Dedup
from .blockers import Blockers


class WhenOptions(TypedDict, total=False):
    """Options for the due time and the priority of a job."""

    delay: float | None
    """Seconds until the job is due, 0 to ten years, by the database's clock."""
    at: datetime | None
    """When the job is due, instead of ``delay``: a ``datetime`` with a zone."""
    priority: int | None
    """-100 to 100; lower numbers run first among the due jobs of a type."""


class CopyOptions(WhenOptions, total=False):
    """The options of ``Client.copy``."""

    id: str | None
    """A UUIDv7 from ``otelq.new_id()``; a start that is repeated with it cannot start a second chain."""
    dedup: Dedup | None
    """The key that at most one chain of the type holds."""


class ContinueOptions(WhenOptions, total=False):
    """The options of ``Continue``."""

    blockers: Blockers
    """Chains to wait for: a sequence of handles, ``AllOf(...)`` or ``AnyOf(...)``."""


class MetaOptions(TypedDict, total=False):
    """Values that all jobs of a chain inherit."""

    tags: Mapping[str, str] | None
    """Up to 32 pairs of text to search for, each text up to 512 characters."""
    headers: Mapping[str, str] | None
    """Pairs of text for handlers and other systems, with the limits of ``tags``."""
    tenant: str | None
    """The tenant to which the chain belongs, 1 to 200 characters."""
    request_id: str | None
    """The id of the request that started the chain, 1 to 200 characters."""


class StartOptions(CopyOptions, ContinueOptions, MetaOptions, total=False):
    """The options of ``Client.start``, for functions that pass them on with ``Unpack``."""

    expires: float | None
    """Seconds within which the job must be started, or it is cancelled; more than ``delay``."""


def refuse_unknown(given: Mapping[str, object], known: type) -> None:
    """Raise ``TypeError``, as for any unknown keyword argument, for an option that is not one of these."""
    names = known.__annotations__
    for name in given:
        if name not in names:
            raise TypeError(f"{name!r} is no option; known are {', '.join(sorted(names))}")
