"""
The border between telemetry and the engine: nothing that an SDK, a propagator or a stored note does gets past it.

What fails is counted in ``otelq.telemetry.dropped``, and logged once for each place, so that a broken exporter does not
flood the log as well. The job goes on without what could not be told of it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from .metrics import Registry

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T", bound="Guarded")


class Guarded(Protocol):
    """Something that reports to a registry, whose methods the engine calls."""

    @property
    def registry(self) -> Registry: ...


def harmless(method: Callable[Concatenate[T, P], R]) -> Callable[Concatenate[T, P], R | None]:
    """
    Let a method return None where it would raise.

    What is called for every job has its own ``try`` instead: a wrapper costs about as much as two attributes of a span.
    """

    @wraps(method)
    def guarded(self: T, /, *args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return method(self, *args, **kwargs)
        except Exception as error:
            self.registry.record_failure(method.__qualname__, error)
            return None

    return guarded
