"""Carries the current context, span and baggage, into another process of this application."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager

from opentelemetry import context as otel_context
from opentelemetry.propagate import extract, inject


def carry() -> Mapping[str, str]:
    """The current context as the configured propagator writes it."""
    carrier: dict[str, str] = {}
    inject(carrier)
    return carrier


@contextmanager
def carried(carrier: Mapping[str, str]) -> Generator[None]:
    """Make current, for a ``with`` block, what ``carry`` wrote."""
    token = otel_context.attach(extract(carrier))
    try:
        yield
    finally:
        otel_context.detach(token)
