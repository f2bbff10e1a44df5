"""Adapters by the scheme of a URL: those that otelq ships, then those of packages that are installed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, distributions
from typing import Final

from .errors import InvalidArgument

OWN: Final[Mapping[str, Mapping[str, str]]] = {
    "otelq.state": {
        "memory": "otelq.sqlite:adapter",
        "sqlite": "otelq.sqlite:adapter",
        "postgresql": "otelq.postgres:adapter",
        "postgres": "otelq.postgres:adapter",
    },
    "otelq.notify": {"memory": "otelq.inprocess:notifier"},
}
"""
The entry points of otelq itself. No package that is installed, nor metadata in the folder that a program is started
in, takes their place: an adapter is given URLs with their passwords.
"""


def find(group: str, scheme: str, *, argument: str) -> EntryPoint | None:
    """
    Return the entry point of the adapter for a scheme; None if there is none.

    Raises:
        InvalidArgument: several packages offer one.
    """
    if value := OWN[group].get(scheme):
        return EntryPoint(scheme, value, group)
    found = {entry.value: entry for entry in _installed(group) if entry.name == scheme}
    if len(found) > 1:
        places = " and ".join(sorted(found))
        raise InvalidArgument(argument, f"several adapters for {scheme}: are installed, {places}; keep one")
    return next(iter(found.values()), None)


def is_private(url: str) -> bool:
    """Return whether only the adapter that opens a URL can reach what is stored there."""
    scheme, _, place = url.partition(":")
    return scheme.lower() == "memory" or (scheme.lower() == "sqlite" and place in ("", "//", "///", "///:memory:"))


def known(group: str) -> list[str]:
    """Return the schemes that there are adapters for."""
    return sorted({*OWN[group], *(entry.name for entry in _installed(group))})


def _installed(group: str) -> list[EntryPoint]:
    """Return those of all distributions on the path: also of one that another of its name hides."""
    return [entry for found in distributions() for entry in found.entry_points.select(group=group)]
