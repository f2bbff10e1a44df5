"""The options of starts, continuations, copies and amendments, as keyword arguments: each is spelled here, once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypedDict

from ..model import Dedup
from .blockers import Blockers


class WhenOptions(TypedDict, total=False):
    """When a job runs, and before which others."""

    delay: float | None
    at: datetime | None
    priority: int | None


class CopyOptions(WhenOptions, total=False):
    """The options of ``Client.copy``, which explains them."""

    id: str | None
    dedup: Dedup | None


class ContinueOptions(WhenOptions, total=False):
    """The options of ``Continue``, which explains them."""

    blockers: Blockers


class MetaOptions(TypedDict, total=False):
    """What all jobs of a chain inherit."""

    tags: Mapping[str, str] | None
    headers: Mapping[str, str] | None
    tenant: str | None
    request_id: str | None


class StartOptions(CopyOptions, ContinueOptions, MetaOptions, total=False):
    """The options of ``Client.start``, which explains them."""

    expires: float | None


def refuse_unknown(given: Mapping[str, object], known: type) -> None:
    """Raise ``TypeError``, as for any unknown keyword argument, for an option that is not one of these."""
    names = known.__annotations__
    for name in given:
        if name not in names:
            raise TypeError(f"{name!r} is no option; known are {', '.join(sorted(names))}")
