"""Finds adapters by the scheme of a URL: those that otelq ships, then those of installed packages."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, distributions
from typing import Final

from .errors import InvalidArgument

BUILT_IN: Final[Mapping[str, Mapping[str, str]]] = {
    "otelq.state": {
        "memory": "otelq.sqlite:adapter",
        "sqlite": "otelq.sqlite:adapter",
        "postgresql": "otelq.postgres:adapter",
        "postgres": "otelq.postgres:adapter",
    },
    "otelq.notify": {
        "memory": "otelq.inprocess:notifier",
        "postgresql": "otelq.postgres:notifier",
        "postgres": "otelq.postgres:notifier",
        "redis": "otelq_redis:notifier",
        "rediss": "otelq_redis:notifier",
        "redis+cluster": "otelq_redis:notifier",
        "rediss+cluster": "otelq_redis:notifier",
        "redis+sentinel": "otelq_redis:notifier",
        "rediss+sentinel": "otelq_redis:notifier",
        "nats": "otelq_nats:notifier",
        "tls": "otelq_nats:notifier",
    },
}
"""
The entry points of otelq itself. No installed package, nor metadata in the folder that a program is started in, can
replace them: an adapter is given URLs with their passwords.
"""


def find_adapter(group: str, scheme: str, *, argument: str) -> EntryPoint | None:
    """
    Return the entry point of the adapter for a scheme; None if there is none.

    Raises:
        InvalidArgument: several packages offer one.
    """
    if value := BUILT_IN[group].get(scheme):
        return EntryPoint(scheme, value, group)
    found = {entry.value: entry for entry in _installed(group) if entry.name == scheme}
    if len(found) > 1:
        places = " and ".join(sorted(found))
        raise InvalidArgument(argument, f"several adapters for {scheme}: are installed, {places}; keep one")
    return next(iter(found.values()), None)


def is_private(url: str) -> bool:
    """Return whether the store behind a URL can be reached by one client only."""
    scheme, _, rest = url.partition(":")
    return scheme.lower() == "memory" or (scheme.lower() == "sqlite" and rest in ("", "//", "///", "///:memory:"))


def known_schemes(group: str) -> list[str]:
    """Return the schemes that have an adapter."""
    return sorted({*BUILT_IN[group], *(entry.name for entry in _installed(group))})


def _installed(group: str) -> list[EntryPoint]:
    """Return the entry points of a group in all distributions on the path."""
    # `importlib.metadata.entry_points` would skip a distribution that another one of the same name hides. Here it
    # counts, so that two adapters for one scheme are noticed.
    return [entry for found in distributions() for entry in found.entry_points.select(group=group)]
