"""The current span and baggage as text, for another process of this application."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.propagate import extract, inject

from ..logs import Log
from .stored_context import EMPTY, attach, detach

logger = Log("otelq.telemetry")


def write_carrier() -> Mapping[str, str]:
    """Return the fields that the configured propagator writes for the current context; none if it fails."""
    carrier: dict[str, str] = {}
    try:
        inject(carrier)
    except Exception:
        logger.warning("a propagator failed to write the context for another process", exc_info=True)
        return {}
    return carrier


@contextmanager
def use_carrier(carrier: Mapping[str, str]) -> Generator[None]:
    """Make the context that ``write_carrier`` wrote current for a ``with`` block."""
    token = attach(_extracted(carrier))
    try:
        yield
    finally:
        detach(token)


def _extracted(carrier: Mapping[str, str]) -> Context:
    try:
        return extract(carrier)
    except Exception:
        logger.warning("a propagator failed to read the context of another process", exc_info=True)
        return EMPTY
