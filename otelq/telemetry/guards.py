"""
The border between telemetry and jobs: no error of an SDK, a propagator or a stored context passes it.

A failure is counted in ``otelq.telemetry.dropped`` and logged once for each place, so that a broken exporter does not
flood the log. The job goes on without that part of its telemetry.
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
    """An object with a registry whose methods are guarded."""

    @property
    def registry(self) -> Registry: ...


def harmless(method: Callable[Concatenate[T, P], R]) -> Callable[Concatenate[T, P], R | None]:
    """
    Make a method return None instead of raising, and record the failure.

    Methods that run for every job have their own ``try``: a wrapper costs about as much as two attributes of a span.
    """

    @wraps(method)
    def guarded(self: T, /, *args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return method(self, *args, **kwargs)
        except Exception as error:
            self.registry.record_failure(method.__qualname__, error)
            return None

    return guarded
